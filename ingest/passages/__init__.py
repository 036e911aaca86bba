"""Passages and their vectors: split, embed, multi-vector embeddings."""
