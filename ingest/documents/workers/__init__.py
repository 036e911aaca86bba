"""Reader processes: files are read in separate processes, within limits."""
