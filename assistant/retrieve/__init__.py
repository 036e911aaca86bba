"""What the library has on a question: sources, evidence, coverage."""
