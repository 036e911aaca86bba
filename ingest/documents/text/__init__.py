"""Plain text, markup, web pages, data files and e-books."""
