"""Text to passages, and passages to vectors."""
