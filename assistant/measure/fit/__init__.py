"""Fitting: every weight and factor of evidence, answerability and fusion, computed again from labelled sets."""
