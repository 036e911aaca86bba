"""Finds the sources and the evidence for a question, and measures how well they cover it."""
