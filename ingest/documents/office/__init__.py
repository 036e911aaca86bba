"""Word, RTF and OpenDocument files, and the zip packages and XML that Office formats consist of."""
