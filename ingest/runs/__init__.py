"""What one run over a folder finds, plans, takes in and tells."""
