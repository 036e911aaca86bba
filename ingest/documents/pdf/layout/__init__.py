"""From boxes of text on a page to Markdown in reading order; for PDF and for text recognition."""
