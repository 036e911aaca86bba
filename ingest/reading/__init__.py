"""A file to the text that stands in it, in a process of its own."""
