"""What a question means: follow-ups, example questions."""
