"""Model files: find, check, convert, round and compare them."""
