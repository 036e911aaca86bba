"""Embedding models: the bundled one, OpenVINO, and which one a library uses."""
