"""What one run does: scan, plan, read, commit, report; and rebuild, back up, check, watch."""
