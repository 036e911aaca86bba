"""Word, RTF and OpenDocument text documents."""
