"""Every command of `docent`."""
