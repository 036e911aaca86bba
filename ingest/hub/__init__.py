"""Models from ModelScope, checked byte by byte."""
