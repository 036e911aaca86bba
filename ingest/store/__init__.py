"""The catalog: one SQLite file with everything the library knows, and the lock of its one writer."""
