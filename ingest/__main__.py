"""`python -m ingest`: the same command as `docent ingest`. The one module of `ingest` that may import `ui`."""

from __future__ import annotations

import sys

from ui.cli.ingest import ingest_command
from ui.cli.terminal.run import run

if __name__ == "__main__":
    sys.exit(run(ingest_command, name="python -m ingest"))
