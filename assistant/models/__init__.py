"""Model files: finds, checks, converts, rounds and compares them."""
