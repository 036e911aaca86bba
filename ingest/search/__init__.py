"""Hybrid search: from a question to the best passages, in order."""
