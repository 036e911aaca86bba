"""Evaluation, metrics, fitting and benchmarks."""
