"""PDF files and scanned pages: text with its position on the page, headings, tables, text recognition."""
