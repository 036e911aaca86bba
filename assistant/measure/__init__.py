"""Evaluates the assistant on question sets, fits its weights, and measures its speed."""
