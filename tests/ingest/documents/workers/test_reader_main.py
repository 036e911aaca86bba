"""The program of a reader process: its messages, its limits, what it may not do, and how it ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ingest.base.errors import ReadError
from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents.workers.reader_main import LENGTH
from ingest.documents.workers.request_handler import is_out_of_memory
from ingest.documents.workers.sandbox import Limits


def forbidden(path: Path) -> ReadFile:
    """Tries the action that the file names; the text is what came of it."""
    actions: dict[str, Callable[[], object]] = {
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
        "look up": lambda: socket.getaddrinfo("docent.invalid", 80),
        "send": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "run": lambda: subprocess.run(["true"], check=True),
        "shell": lambda: os.system("true"),
        "become": lambda: os.execv("/bin/true", ["true"]),
        "fork": os.fork,
    }
    try:
        actions[path.read_text("utf-8")]()
    except PermissionError as error:
        return document(str(error.strerror))
    return document("it happened")


def confined(_path: Path) -> ReadFile:
    """The text is the limits of this process."""
    import resource

    kinds = resource.RLIMIT_CORE, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE
    return document(json.dumps([*(resource.getrlimit(kind)[0] for kind in kinds), os.nice(0)]))


def grumbling(_path: Path) -> ReadFile:
    """Logs a warning with a traceback, and an event that is only for information."""
    from ingest.base.logs import get_logger

    try:
        raise ValueError("no such font")
    except ValueError:
        get_logger("reader").warning("read.unreadable", path="\udcff", exc_info=True)
    get_logger("reader").info("read.done")
    raise ReadError("the file is damaged")


def greedy(_path: Path) -> ReadFile:
    """Reads well, but uses more than three quarters of the memory."""
    ballast = b"x" * 600_000_000
    return document(f"{len(ballast)} bytes")


def document(text: str) -> ReadFile:
    return ReadFile((ReadDocument("", (Page("", text),)),))


def talk(reader: str, paths: list[Path], limits: Limits) -> tuple[list[dict[str, Any]], int]:
    """(every message, exit code) of a reader process that is asked for these paths, after which its input ends."""
    requests = "".join(json.dumps({"path": str(path), "known": None}) + "\n" for path in paths)
    arguments = [
        f"tests.ingest.documents.workers.test_reader_main:{reader}",
        json.dumps(asdict(limits)),
        str(os.getpid()),
    ]
    run = subprocess.run(
        [sys.executable, "-m", "ingest.documents.workers.reader_main", *arguments],
        input=requests.encode(),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    messages, rest = [], run.stdout
    while rest:
        (size,) = LENGTH.unpack(rest[: LENGTH.size])
        messages.append(json.loads(rest[LENGTH.size : LENGTH.size + size]))
        rest = rest[LENGTH.size + size :]
    return messages, run.returncode


def text_of(message: dict[str, Any]) -> str:
    return str(message["file"]["documents"][0]["pages"][0]["text"])


def test_nothing_is_fetched_or_executed(tmp_path: Path) -> None:
    """No connection, no name looked up, no program started, no copy of the process, whichever way a parser tries."""
    events = {
        "connect": "socket.getaddrinfo",
        "look up": "socket.getaddrinfo",
        "send": "socket.sendto",
        "listen": "socket.bind",
        "run": "subprocess.Popen",
        "shell": "os.system",
        "become": "os.exec",
        "fork": "os.fork",
    }
    paths = []
    for name in events:
        paths.append(tmp_path / name)
        paths[-1].write_text(name, "utf-8")
    messages, _ = talk("forbidden", paths, Limits())
    texts = [text_of(message) for message in messages if "file" in message]
    assert texts == [f"reading a document must not cause {event}" for event in events.values()]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack some of the limits")
def test_the_process_is_confined(tmp_path: Path) -> None:
    """Memory and size of files are limited, there is no core dump, and its priority is low."""
    (tmp_path / "a").touch()
    messages, _ = talk("confined", [tmp_path / "a"], Limits(memory_bytes=700_000_000, output_bytes=3_000_000))
    core, data, files, niceness = json.loads(text_of(messages[-1]))
    assert (core, data, files) == (0, 700_000_000, 3_000_000)
    assert niceness >= min(19, os.nice(0) + 10)


def test_messages_are_as_described(tmp_path: Path) -> None:
    """Ready once; the hash before the answer; the log with it; the end of input is a successful exit."""
    (tmp_path / "a").write_bytes(b"abc")
    messages, code = talk("grumbling", [tmp_path / "a"], Limits())
    status = (tmp_path / "a").stat()
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert messages[:2] == [{"ready": True}, {"hashed": [sha256, 3, status.st_mtime_ns]}]
    assert (messages[2]["reason"], messages[2]["last"], code) == ("the file is damaged", False, 0)
    (entry,) = messages[2]["log"]
    assert (entry["event"], entry["path"]) == ("read.unreadable", "?")
    assert entry["exception"].endswith("ValueError: no such font")


def test_a_process_that_has_used_much_memory_ends(tmp_path: Path) -> None:
    """It answers, says that this was its last answer, and ends without taking another request."""
    for name in "ab":
        (tmp_path / name).write_bytes(b"abc")
    messages, code = talk("greedy", [tmp_path / "a", tmp_path / "b"], Limits(memory_bytes=750_000_000))
    outcomes = [message for message in messages if "file" in message]
    assert [(text_of(message), message["last"]) for message in outcomes] == [("600000000 bytes", True)]
    assert code == 0


def test_lack_of_memory_is_recognised_inside_other_errors() -> None:
    """Formats and their libraries wrap it; a damaged file is not mistaken for it."""

    def raised_from(cause: BaseException) -> ReadError:
        error = ReadError("the file is damaged")
        error.__cause__ = cause
        return error

    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(raised_from(raised_from(MemoryError())))
    assert is_out_of_memory(raised_from(OSError(errno.ENOMEM, "")))
    assert not is_out_of_memory(raised_from(ValueError("no table of contents")))


def test_memory_of_the_parent_does_not_count(tmp_path: Path) -> None:
    """What the parent process holds in memory is not counted against the reader process."""
    ballast = b"x" * 500_000_000
    (tmp_path / "a").write_bytes(b"abc")
    messages, _ = talk("grumbling", [tmp_path / "a"], Limits(memory_bytes=len(ballast)))
    assert messages[-1]["last"] is False
