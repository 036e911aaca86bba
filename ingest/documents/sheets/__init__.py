"""Spreadsheets: cells as they are shown, and the notes on them."""
