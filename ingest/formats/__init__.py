"""What stands in a file, a module for each kind: bytes in, Markdown with anchors out. Knows nothing of the library."""
