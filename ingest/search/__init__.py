"""From a question's words and vector to the passages in the best order."""
