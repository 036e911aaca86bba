"""`python -m ingest`: the same command as `docent ingest`."""

from __future__ import annotations

import sys

from ingest.command import ingest_command
from ingest.terminal import run

if __name__ == "__main__":
    sys.exit(run(ingest_command, name="python -m ingest"))
