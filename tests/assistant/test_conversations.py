from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.conversations import CONVERSATIONS_FILE, Conversations, Turn
from assistant.events import Citation, Done, EvidenceSentence, Part, Source
from ingest.base.errors import DocentError
from tests.conftest import fill
from tests.project import PROJECT

SOURCES = (
    Source(1, 11, 7, "hr/leave.md", "Leave “policy”", "Time off › Annual leave", "p. 3", "25 days.\n年假25天。", 0.91),
    Source(
        2,
        12,
        8,
        "差旅.md",
        "差旅制度",
        "",
        "",
        "请保留发票。每张。",
        0.5,
        (Part(12, "", 0, 6), Part(13, "p. 2", 6, 9, found=False, lead="| a |\n")),
        "差旅-2027.md",
        ("差旅-2024.md",),
    ),
)
EVIDENCE = (EvidenceSentence(1, "25 days.", 0, 8, 0.75, "25 days."),)
CITATIONS = (Citation(1, "hr/leave.md", "Leave “policy”", "Time off › Annual leave", "p. 3", 11, 7, "25 days."),)
DONE = Done(
    "25 days. [1]", CITATIONS, EVIDENCE, SOURCES, False, 0.83, "transformers", "stop", ("It is 30.", "别的。"),
    {"search": 0.01}, "How many days of leave?",
)  # fmt: skip
ABSTAINED = Done("文件中没有说明。", (), (), (), True, 0.1, "extractive", "abstained")


def test_every_field_comes_back(tmp_path: Path) -> None:
    """A turn is read as it was kept: nested values, Chinese, quotation marks and line breaks included."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    Conversations(tmp_path).add("a", "How many days?\n“多少天”？", DONE, "Passages: …", "25 days [4].")
    (turn,) = Conversations(tmp_path).turns("a")
    assert before <= datetime.fromisoformat(turn.asked_at) <= datetime.now(UTC)
    assert turn == Turn(
        "How many days?\n“多少天”？", "25 days. [1]", CITATIONS, SOURCES, EVIDENCE, False, 0.83, "transformers",
        "stop", ("It is 30.", "别的。"), turn.asked_at, "Passages: …", "25 days [4].",
        "How many days of leave?",
    )  # fmt: skip


def test_turns_come_oldest_first_and_by_conversation(tmp_path: Path) -> None:
    """Turns of other conversations do not show; an id nobody used has none, and asking for it makes no file."""
    conversations = Conversations(tmp_path / "home")
    assert conversations.turns("a") == []
    assert not (tmp_path / "home").exists()
    for conversation, question in (("a", "1"), ("b", "2"), ("a", "3"), ("a", "0")):
        conversations.add(conversation, question, ABSTAINED, question, "")
    assert [turn.question for turn in conversations.turns("a")] == ["1", "3", "0"]
    assert [turn.question for turn in conversations.turns("b")] == ["2"]
    assert conversations.turns("A") == []
    assert conversations.turns("' OR 1=1 --") == []


def test_a_turn_of_an_older_docent_is_read(tmp_path: Path) -> None:
    """What says what the model saw and what was searched for may be missing, as may all but the text of a source."""
    conversations = Conversations(tmp_path)
    conversations.add("a", "Leave?", replace(ABSTAINED, sources=SOURCES[:1]), "", "")
    (kept,) = conversations.turns("a")
    with sqlite3.connect(tmp_path / CONVERSATIONS_FILE) as connection:
        turn = json.loads(connection.execute("SELECT turn FROM turns").fetchone()[0])
        del turn["user_content"], turn["model_answer"], turn["searched"]
        for name in ("parts", "newer", "replaces"):
            del turn["sources"][0][name]
        connection.execute("UPDATE turns SET turn = ?", (json.dumps(turn),))
    connection.close()
    assert conversations.turns("a") == [kept]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    """Threads that write at the same moment, from the very first turn on, all have their turns kept in their order."""
    conversations = Conversations(tmp_path)
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def write(name: str) -> None:
        try:
            start.wait()
            for number in range(5):
                conversations.add(name, str(number), DONE, "", "")
                assert conversations.turns(name)[-1].question == str(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test below shows it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"conversation {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number in range(4):
        turns = conversations.turns(f"conversation {number}")
        assert [turn.question for turn in turns] == ["0", "1", "2", "3", "4"]


def test_a_full_disk(small_disk: Path) -> None:
    """What was kept can be read; what cannot be kept is said in one line, and is kept again when there is room."""
    conversations = Conversations(small_disk)
    conversations.add("a", "first", DONE, "", "")
    fill(small_disk / "filler", 0)
    assert [turn.question for turn in conversations.turns("a")] == ["first"]
    with pytest.raises(DocentError, match=r"cannot be read or kept .* check the disk"):
        conversations.add("a", "second " * 10_000, DONE, "", "")
    assert [turn.question for turn in conversations.turns("a")] == ["first"]
    (small_disk / "filler").unlink()
    conversations.add("a", "third", DONE, "", "")
    assert [turn.question for turn in conversations.turns("a")] == ["first", "third"]


def test_another_process_continues_a_conversation(tmp_path: Path) -> None:
    """What one process has kept another reads, and adds to."""
    conversations = Conversations(tmp_path)
    conversations.add("a", "first", DONE, "", "")
    script = (
        "import sys; from pathlib import Path; from assistant.conversations import Conversations\n"
        "from assistant.events import Done\n"
        "kept = Conversations(Path(sys.argv[1]))\n"
        "print(kept.turns('a')[0].sources[1].title)\n"
        "kept.add('a', 'second', Done('', (), (), (), True, 0.0, 'extractive', 'abstained'), '', '')\n"
    )
    command = [sys.executable, "-X", "utf8", "-c", script, str(tmp_path)]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=True).stdout
    assert said.strip() == "差旅制度"
    assert [turn.question for turn in conversations.turns("a")] == ["first", "second"]


def test_a_file_that_is_damaged_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line with the file and what to do, for reading as for keeping."""
    conversations = Conversations(tmp_path)
    (tmp_path / CONVERSATIONS_FILE).write_bytes(b"this is no database" * 100)
    for attempt in (lambda: conversations.turns("a"), lambda: conversations.add("a", "?", DONE, "", "")):
        with pytest.raises(DocentError, match=r"conversations\.db cannot be read or kept .*set that file aside"):
            attempt()
    (tmp_path / "file").touch()
    with pytest.raises(DocentError, match="check the disk"):
        Conversations(tmp_path / "file").add("a", "?", DONE, "", "")


def test_a_turn_keeps_all_of_an_answer_but_its_timings() -> None:
    """Whoever adds a field to an answer must decide whether it is kept."""
    assert {field.name for field in fields(Done)} - {field.name for field in fields(Turn)} == {"timings"}
