"""Watch folders: a run at the start, and another one after every burst of changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from watchfiles import DefaultFilter
from watchfiles import watch as changes

from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.runs.find_files import absolute
from ingest.runs.report import IngestReport
from ingest.store.write_lock import AnotherWriter

# A burst of changes ends after QUIET_SECONDS without a change; during a longer burst a run starts every BURST_SECONDS.
QUIET_SECONDS = 2.0
BURST_SECONDS = 60.0
# How often to check whether a folder was removed or is back, and whether another writer has finished.
LOOK_SECONDS = 5.0
# Network shares do not report what other machines change on them, so everything is compared this often.
COMPARE_SECONDS = 600.0
log = get_logger(__name__)

# The given paths that exist, each with device and inode: a folder that was replaced is another one.
_Existing = dict[Path, tuple[int, int]]


def watch(paths: Sequence[Path], settings: Settings, ingest: Callable[[], IngestReport]) -> Iterator[IngestReport]:
    """Run `ingest` at the start, after every burst of changes, and when a folder was removed or is back.

    Yields the reports, except of runs that only compared all files and found no change. Ends when Ctrl-C is pressed
    while it waits. Waits while another process writes. Raises DocentError as `ingest` does.
    """

    def run() -> IngestReport:
        while True:
            try:
                return ingest()
            except AnotherWriter as error:
                log.info("watch.waiting", reason=str(error))
                time.sleep(LOOK_SECONDS)

    while True:
        existing = _existing(paths)
        yield run()
        try:
            for something_changed in _bursts(paths, settings, existing):
                report = run()
                if something_changed or _changed_something(report):
                    yield report
        except KeyboardInterrupt:
            return


def _bursts(paths: Sequence[Path], settings: Settings, existing: _Existing) -> Iterator[bool]:
    """Yields True after every burst of changes, False when it is time to compare all files, which it is at the start.

    Ends when one of the folders was removed or is back, because the watch on a removed folder reports nothing more.
    """
    # A library inside a watched folder changes with every run, which must not start the next one.
    inside = [
        str(folder)
        for folder in (absolute(settings.home), absolute(settings.models_cache))
        if any(folder.is_relative_to(path) for path in existing)
    ]
    compare_at = 0.0
    try:
        for changed in changes(
            *existing, watch_filter=DefaultFilter(ignore_paths=inside), step=int(QUIET_SECONDS * 1000),
            debounce=int(BURST_SECONDS * 1000), rust_timeout=int(LOOK_SECONDS * 1000), yield_on_timeout=True,
            ignore_permission_denied=True,
        ):  # fmt: skip
            if _existing(paths) != existing:
                return
            if changed or time.monotonic() >= compare_at:
                yield bool(changed)
                compare_at = time.monotonic() + COMPARE_SECONDS
    except (OSError, RuntimeError):  # a folder was just removed, or the system cannot watch more folders
        log.warning("watch.not_listening", exc_info=True)
        time.sleep(COMPARE_SECONDS if _existing(paths) == existing else LOOK_SECONDS)


def _changed_something(report: IngestReport) -> bool:
    return any((report.added, report.updated, report.removed, report.moved, report.duplicates))


def _existing(paths: Sequence[Path]) -> _Existing:
    existing = {}
    for path in map(absolute, paths):
        try:
            status = path.stat()
        except OSError as error:
            log.debug("watch.missing", path=str(path), reason=str(error))
        else:
            existing[path] = (status.st_dev, status.st_ino)
    return existing
