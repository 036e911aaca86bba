"""Fits the thresholds while a server runs, for libraries that were changed without `docent ingest`.

`docent ingest` fits them at its end. They are not fitted after a backup was restored, after a run was killed before its
end, or by a program that calls `ingest`.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from assistant.refuse.thresholds import fit_thresholds, read_fitted_thresholds, still_holds
from ingest.base.logs import get_logger
from ingest.library import Library
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import is_locked

# How often the thread checks whether a fit is due, and how long it waits after a fit that failed.
CHECK_SECONDS = 30.0
RETRY_SECONDS = 600.0
# The pause after each synthetic question, for other threads to run; the question's searches take about as long.
PAUSE_SECONDS = 0.05
log = get_logger(__name__)


class BackgroundFitting:
    """A thread of low priority that fits whenever the last fit no longer holds. Close it when done."""

    def __init__(self, home: Path, passages: int) -> None:
        """`passages` is how many passages are retrieved for an answer."""
        self._home = home
        self._passages = passages
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background-fitting", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._stop.wait(CHECK_SECONDS):
            try:
                if self._is_due():
                    self._fit()
            except _Stopped:
                return
            except Exception:
                log.error("thresholds.not_fitted", exc_info=True)
                self._stop.wait(RETRY_SECONDS)

    def _is_due(self) -> bool:
        if not (self._home / CATALOG_FILE).is_file() or is_locked(self._home):
            return False
        catalog = Catalog(self._home / CATALOG_FILE)
        try:
            return not still_holds(catalog, read_fitted_thresholds(self._home))
        finally:
            catalog.close()

    def _fit(self) -> None:
        # Without the reranker that the server uses: with it every search would take seconds.
        library = Library(self._home)
        try:
            fit_thresholds(library, self._passages, self._pause)
        finally:
            library.close()

    def _pause(self) -> None:
        if self._stop.wait(PAUSE_SECONDS):
            raise _Stopped


class _Stopped(Exception):
    """Ends a fit when the server closes."""
