"""The library's record: one SQLite file, one writer, backups, checks."""
