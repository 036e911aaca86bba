"""Structure shared by the formats: Markdown pieces, tables, list numbering, running headers."""
