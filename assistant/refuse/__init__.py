"""Whether the library can answer a question, and the thresholds of that decision."""
