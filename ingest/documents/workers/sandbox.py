"""What a reader process may use and do: limits on time, memory and output, and actions that are forbidden."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# The audit event that readers raise for each page of a long document, to show that the process makes progress.
PAGE_READ = "docent.read.page"
# linux/prctl.h: the signal this process gets when its parent dies.
_PR_SET_PDEATHSIG = 1
# Audit events of Python for what no document may cause: network access and running programs.
_FORBIDDEN_EVENTS = {
    *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("os.startfile", "webbrowser.open"),
}


@dataclass(frozen=True)
class Limits:
    """What reading one file may use; a file that needs more is not read.

    Of 275 real office files the largest needed 0.5 GB (a Word file of 872 pages) and 0.9 GB (with text recognition).
    """

    seconds: float = 120.0  # since its last sign of progress, such as a page that was read
    silent_seconds: float = 30.0  # without a byte from its disk or network share
    computing_seconds: int = 3600  # of CPU time, summed over all cores
    memory_bytes: int = 2_000_000_000
    output_bytes: int = 50_000_000  # of text, and of any file that the process writes


def confine(limits: Limits, parent_id: int) -> None:
    """Limit this process's memory, files and priority, and end it when its parent ends. Linux has all of these.

    Exits when the parent has already ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    if sys.platform == "win32":
        return
    import resource

    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, size in (
        # Private memory; unlike RLIMIT_AS it does not count mapped files and address space that is only reserved.
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
    ):
        _, hard_limit = resource.getrlimit(kind)
        size = size if hard_limit == resource.RLIM_INFINITY else min(size, hard_limit)
        resource.setrlimit(kind, (size, size))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_id:  # the parent died before prctl took effect
            sys.exit(0)
        # When the machine runs out of memory, the system is to end this process rather than its parent.
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def forbid_side_effects(on_page_read: Callable[[], None]) -> None:
    """Make network access and running programs raise PermissionError from now on; this cannot be undone.

    The same hook calls `on_page_read` for each page that a reader reports.
    """

    def audit(event: str, _arguments: tuple[object, ...]) -> None:
        if event == PAGE_READ:
            on_page_read()
        elif event in _FORBIDDEN_EVENTS:
            raise PermissionError(errno.EPERM, f"reading a document must not cause {event}")

    sys.addaudithook(audit)


def allow_computing(seconds: int) -> None:
    """Allow this many more seconds of CPU time; after them the system ends this process with SIGXCPU."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard_limit))
