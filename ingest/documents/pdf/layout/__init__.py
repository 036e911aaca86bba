"""From boxes of text on a page to Markdown in reading order."""
