"""Follow folders: a run now, and another after every burst of changes."""

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

# A burst is over when nothing has changed for so long; in one that never ends a run starts this often all the same.
QUIET_SECONDS = 2.0
BURST_SECONDS = 60.0
# How often to look whether a folder has gone or come back, and whether another writer is done.
LOOK_SECONDS = 5.0
# Network shares do not report what other machines change on them, so everything is compared this often.
COMPARE_SECONDS = 600.0
log = get_logger(__name__)

# The given paths that exist, each with device and inode: a folder that was replaced is another one.
_Existing = dict[Path, tuple[int, int]]


def watch(paths: Sequence[Path], settings: Settings, ingest: Callable[[], IngestReport]) -> Iterator[IngestReport]:
    """Yields the report of one run of `ingest` after the other, until Ctrl-C is pressed while it waits.

    Waits while another process writes, and looks for a folder that has vanished until it is back. Raises DocentError
    as `ingest` does.
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
    """True after every burst; False when it is time to compare, first as soon as changes are being listened for.

    Ends when one of the folders has gone or come back, since the watch on a folder that went reports nothing more.
    """
    # A library inside a watched folder changes with every run, which must not start the next one.
    inside = [
        str(own)
        for own in (absolute(settings.home), absolute(settings.models_cache))
        if any(own.is_relative_to(path) for path in existing)
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
    except (OSError, RuntimeError):  # a folder has just gone, or the system watches no more folders
        log.warning("watch.not_listening", exc_info=True)
        time.sleep(COMPARE_SECONDS if _existing(paths) == existing else LOOK_SECONDS)


def _changed_something(report: IngestReport) -> bool:
    return any((report.added, report.updated, report.removed, report.moved, report.duplicates))


def _existing(paths: Sequence[Path]) -> _Existing:
    existing = {}
    for given in paths:
        path = absolute(given)
        try:
            status = path.stat()
        except OSError as error:
            log.debug("watch.missing", path=str(path), reason=str(error))
        else:
            existing[path] = (status.st_dev, status.st_ino)
    return existing
