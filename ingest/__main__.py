"""`python -m ingest`: the same command as `docent ingest`."""

from __future__ import annotations

import sys

from ui.cli.ingest_command import ingest_command
from ui.cli.terminal import run

if __name__ == "__main__":
    sys.exit(run(ingest_command, name="python -m ingest"))
