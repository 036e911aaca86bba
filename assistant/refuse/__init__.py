"""Decides whether the library can answer a question, and fits the thresholds of that decision."""
