from __future__ import annotations

import sys
import threading

import pytest

from ingest.hub.download import DownloadProgress
from ui.cli.terminal import downloads
from ui.cli.terminal.downloads import download_shown, stages_shown


def progress(done: int, total: int = 1_240_000_000, name: str = "owner/model") -> DownloadProgress:
    return DownloadProgress(name, "model.safetensors", done, total, done, total)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json no progress is printed."""
    with download_shown(quiet=True) as show:
        show(progress(1))
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first at once, the next after five seconds, each model by itself; in megabytes on standard error."""
    now = [100.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(downloads, "time", Clock)
    with download_shown(quiet=False) as show:
        for seconds, report in (
            (0, progress(0)),
            (4.9, progress(50_000_000)),
            (0, progress(400_000, 91_000_000, "owner/embedder")),
            (0.1, progress(300_400_000)),
            (1, progress(350_000_000)),
            (5, progress(1_240_000_000)),
        ):
            now[0] += seconds
            show(report)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "owner/model: 0 of 1240 MB",
        "owner/embedder: 0 of 91 MB",
        "owner/model: 300 of 1240 MB",
        "owner/model: 1240 of 1240 MB",
    ]


def test_work_of_which_only_the_name_is_known_shows_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for somebody else has no megabytes, on a terminal or elsewhere."""
    with download_shown(quiet=False) as show:
        show(progress(0, 0, "Waiting for another download to end"))
    assert capsys.readouterr().err == "Waiting for another download to end …\n"
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with download_shown(quiet=False) as show:
        show(progress(0, 0, "Waiting for another download to end"))
    assert "Waiting for another download to end" in capsys.readouterr().err


def test_files_that_come_in_parallel_make_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The callback may be called from several threads at once."""
    with download_shown(quiet=False) as show:
        threads = [threading.Thread(target=show, args=(progress(5_000_000),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert capsys.readouterr().err == "owner/model: 5 of 1240 MB\n"


def test_on_a_terminal_there_is_a_bar_for_each_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, bytes so far and in all, on standard error."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with download_shown(quiet=False) as show:
        show(progress(620_000_000))
        show(progress(91_000_000, 91_000_000, "owner/embedder"))
        show(progress(1_240_000_000))
    out, err = capsys.readouterr()
    assert out == ""
    assert "owner/model" in err
    assert "1.2/1.2 GB" in err
    assert "owner/embedder" in err
    assert "91.0/91.0 MB" in err


def test_stages_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal each stage is a line when it begins; quiet says nothing."""
    for quiet in (True, False):
        with stages_shown(quiet) as show:
            for name, done in (("Reading", 0), ("Reading", 5), ("Comparing", 0)):
                show(name, done, 10)
    assert capsys.readouterr() == ("", "Reading …\nComparing …\n")


def test_stages_are_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar says what is being done, whether or not its end is known."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with stages_shown(quiet=False) as show:
        show("Reading", 3, 10)
        show("Comparing", 0, 1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Comparing" in err
