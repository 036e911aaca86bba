"""Structure that every format shares: Markdown blocks, tables, list numbering."""
