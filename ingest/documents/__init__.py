"""Turn a file into structured documents: a reader for each format, the parse score, the reader processes."""
