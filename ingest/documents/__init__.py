"""One file to a structured document: the readers of every format, their quality score, their processes."""
