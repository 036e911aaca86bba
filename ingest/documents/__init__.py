"""From a file to structured documents: a reader for each format, the parse score, the reader processes."""
