"""PDF files and scanned pages: text with its place on the page, headings, tables, recognised text."""
