"""Leaves that every other folder may use: settings, types, errors, logs, language, CPU."""
