"""The steps of one run (scan, plan, read, commit, report), and the commands rebuild, backup, restore and check."""
