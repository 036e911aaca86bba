"""Completes follow-up questions, and makes example questions."""
