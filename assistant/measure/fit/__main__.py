"""`python -m assistant.measure.fit FOLDER…`: fit the weights of evidence, answerability and fusion again."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from assistant.measure.fit.fit import fit_folders
from assistant.measure.fit.report import as_json, as_text
from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ingest.base.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Print the shipped and the refitted numbers with their figures. Returns 0, or 2 after one line of error."""
    parser = argparse.ArgumentParser(prog="python -m assistant.measure.fit", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a set in BEIR layout")
    parser.add_argument(
        "--cache", type=Path, help="where the searches of sets are stored (default: `fit` in `models_cache`)"
    )
    parser.add_argument("--json", action="store_true", dest="json", help="print the result as JSON")
    options = parser.parse_args(arguments)
    configure_logs("error", console=True)
    try:
        settings = load_settings()
        fits = fit_folders(options.folders, settings, options.cache or settings.models_cache / "fit", _show)
    except DocentError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_json(fits), ensure_ascii=False, indent=1) if options.json else as_text(fits))
    return 0


def _show(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {done} of {total} questions", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
