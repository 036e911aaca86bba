"""Conversations: stored and read again, migrated from older files, and what a damaged file or a full disk costs."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.conversations import CONVERSATIONS_FILE, SCHEMA_VERSION, Conversations, Turn
from assistant.events import Citation, Done, Evidence, EvidenceSentence, Source, SourcePassage
from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
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
        (SourcePassage(12, "", 0, 6), SourcePassage(13, "p. 2", 6, 9, found=False, lead="| a |\n")),
        "差旅-2027.md",
        ("差旅-2024.md",),
    ),
)
EVIDENCE = (EvidenceSentence(1, "25 days.", 0, 8, 0.75, "25 days."),)
CITATIONS = (Citation(1, "hr/leave.md", "Leave “policy”", "Time off › Annual leave", "p. 3", 11, 7, "25 days."),)
DONE = Done(
    Evidence(SOURCES, EVIDENCE, 0.83, abstained=False, searched="How many days of leave?", caution=True),
    "25 days. [1]", CITATIONS, "transformers", "stop", ("It is 30.", "别的。"), {"search": 0.01},
)  # fmt: skip
ABSTAINED = Done(Evidence((), (), 0.1, abstained=True), "文件中没有说明。", (), "extractive", "abstained")
OLD_FILES = PROJECT / "tests" / "files"


def test_every_field_comes_back(tmp_path: Path) -> None:
    """A turn is read as it was stored: nested values, Chinese, quotation marks and line breaks included."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    turn = Turn("How many days?\n“多少天”？", DONE, "Passages: …", "25 days [4].")
    assert before <= datetime.fromisoformat(turn.asked_at) <= datetime.now(UTC)
    Conversations(tmp_path).add("a", turn)
    assert Conversations(tmp_path).turns("a") == [turn]


def test_turns_come_oldest_first_and_by_conversation(tmp_path: Path) -> None:
    """Turns of other conversations do not show; an id nobody used has none, and asking for it makes no file."""
    conversations = Conversations(tmp_path / "home")
    assert conversations.turns("a") == []
    assert not (tmp_path / "home").exists()
    for conversation, question in (("a", "1"), ("b", "2"), ("a", "3"), ("a", "0")):
        conversations.add(conversation, Turn(question, ABSTAINED))
    assert [turn.question for turn in conversations.turns("a")] == ["1", "3", "0"]
    assert [turn.question for turn in conversations.turns("b")] == ["2"]
    assert conversations.turns("A") == []
    assert conversations.turns("' OR 1=1 --") == []


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """A state folder with the conversations that version 0.1 wrote: one of four turns, one of a single turn."""
    shutil.copy(OLD_FILES / "version-0.1" / CONVERSATIONS_FILE, tmp_path)
    return tmp_path


def test_conversations_of_version_0_1_are_shown_and_continued(old_home: Path) -> None:
    """Every turn has its answer, citations and sources; a new turn is added after them, and both are read again."""
    conversations = Conversations(old_home)
    turns = conversations.turns("a" * 32)
    assert [(turn.question, turn.done.finish_reason) for turn in turns] == [
        ("How many days of annual leave do I get?", "stop"),
        ("And part-timers?", "stop"),
        ("Who won the world cup?", "abstained"),
        ("May days be carried over?", "stopped"),
    ]
    cited, follow_up, abstained, stopped = (turn.done for turn in turns)
    leave = cited.evidence.sources[0]
    assert (leave.path, leave.page, leave.replaces) == ("hr/leave-policy-2026.md", "p. 3", ("hr/leave-policy-2024.md",))
    assert leave.parts[1] == SourcePassage(12, "p. 4", 52, 99, found=False, lead="| Days | Until |\n")
    assert cited.answer == "Full-time staff get 25 days of annual leave a year. [1] It is paid twice."
    assert [(citation.n, citation.passage_id, citation.quote) for citation in cited.citations] == [
        (1, 11, "Full-time staff get 25 days of annual leave a year.")
    ]
    assert (cited.unsupported, cited.evidence.confidence, cited.engine) == (("It is paid twice.",), 0.83, "openvino")
    assert turns[0].user_content.endswith("Question: How many days of annual leave do I get?")
    assert turns[0].model_text.startswith("Full-time staff get 25 days of annual leave a year. [4]")
    assert follow_up.evidence.searched == "How many days of annual leave do part-timers get"
    assert (follow_up.evidence.caution, follow_up.evidence.abstained) == (True, False)
    assert follow_up.evidence.sources[1].newer == "finance/差旅-2027.md"
    assert (abstained.evidence.abstained, abstained.citations) == (True, ())
    assert [source.n for source in abstained.evidence.sources] == [1]
    assert stopped.answer == "Unused days may be"
    assert [turn.done.answer for turn in conversations.turns("b" * 32)] == ["22天。"]
    new = Turn("And in 2025?", DONE)
    conversations.add("a" * 32, new)
    assert Conversations(old_home).turns("a" * 32) == [*turns, new]


def test_a_turn_older_than_version_0_1_is_read(old_home: Path) -> None:
    """The first Docent stored neither the prompt, nor what was searched, nor parts and versions of a source."""
    with closing(sqlite3.connect(old_home / CONVERSATIONS_FILE)) as connection, connection:
        turn = json.loads(connection.execute("SELECT turn FROM turns WHERE id = 1").fetchone()[0])
        for name in ("user_content", "model_answer", "searched", "caution"):
            del turn[name]
        for source, name in itertools.product(turn["sources"], ("parts", "newer", "replaces")):
            del source[name]
        connection.execute("UPDATE turns SET turn = ? WHERE id = 1", (json.dumps(turn),))
    first = Conversations(old_home).turns("a" * 32)[0]
    assert (first.user_content, first.model_text, first.done.evidence.searched) == ("", "", "")
    assert first.done.evidence.sources[0].parts == ()
    assert first.done.answer.startswith("Full-time staff get 25 days")


@pytest.mark.parametrize("broken", ["{", "[]", '{"question": "?"}', "null", "[" * 100_000, b'{"question": "\xff"}'])
@pytest.mark.parametrize("when", ["before it is migrated", "afterwards"])
def test_a_row_that_cannot_be_read_costs_that_row(old_home: Path, broken: str | bytes, when: str) -> None:
    """The other turns of the conversation are shown, turns can be added, and the log names the row."""
    configure_logs("info", old_home / "logs", console=False)
    if when == "afterwards":
        Conversations(old_home).add("b" * 32, Turn("?", DONE))
    with closing(sqlite3.connect(old_home / CONVERSATIONS_FILE)) as connection, connection:
        connection.execute("UPDATE turns SET turn = CAST(? AS TEXT) WHERE id = 2", (broken,))
    Conversations(old_home).add("b" * 32, Turn("?", DONE))
    turns = Conversations(old_home).turns("a" * 32)
    assert [turn.question[:3] for turn in turns] == ["How", "Who", "May"]
    records = [json.loads(line) for line in (old_home / "logs" / "docent.log").read_text("utf-8").splitlines()]
    assert [record["row"] for record in records if record["event"] == "conversation.row_unreadable"] == [2]


def test_a_server_of_version_0_1_that_still_runs_adds_turns(old_home: Path) -> None:
    """It knows no versions: its rows in a migrated file are turns like the others."""
    with closing(sqlite3.connect(old_home / CONVERSATIONS_FILE)) as connection, connection:
        conversation, turn = connection.execute("SELECT conversation, turn FROM turns WHERE id = 1").fetchone()
        Conversations(old_home).add("c", Turn("?", DONE))
        connection.execute("INSERT INTO turns (conversation, turn) VALUES (?, ?)", (conversation, turn))
    turns = Conversations(old_home).turns("a" * 32)
    assert len(turns) == 5
    assert turns[0] == turns[-1]


def test_an_old_file_on_a_full_disk_is_read(small_disk: Path) -> None:
    """Migrating it needs space; reading does not, so people still get answers."""
    shutil.copy(OLD_FILES / "version-0.1" / CONVERSATIONS_FILE, small_disk)
    fill(small_disk / "filler", 0)
    conversations = Conversations(small_disk)
    assert len(conversations.turns("a" * 32)) == 4
    with pytest.raises(DocentError, match="check the disk"):
        conversations.add("a" * 32, Turn("?", DONE))
    (small_disk / "filler").unlink()
    conversations.add("a" * 32, Turn("?", DONE))
    assert len(conversations.turns("a" * 32)) == 5


def test_a_file_of_a_newer_docent_is_refused(old_home: Path) -> None:
    """One line names both versions and what to do; the file is not changed."""
    with closing(sqlite3.connect(old_home / CONVERSATIONS_FILE)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = (old_home / CONVERSATIONS_FILE).read_bytes()
    conversations = Conversations(old_home)
    for attempt in (lambda: conversations.turns("a"), lambda: conversations.add("a", Turn("?", DONE))):
        with pytest.raises(DocentError, match=f"version {SCHEMA_VERSION + 1} and .* up to {SCHEMA_VERSION}:"):
            attempt()
    assert (old_home / CONVERSATIONS_FILE).read_bytes() == content


def test_one_process_migrates_and_the_others_wait(old_home: Path) -> None:
    """Threads that add to an old file at the same moment all find its turns, and lose none of their own."""
    lengths: list[int] = []
    start = threading.Barrier(4)

    def read() -> None:
        conversations = Conversations(old_home)
        start.wait()
        conversations.add("c", Turn("?", DONE))
        lengths.append(len(conversations.turns("a" * 32)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [4] * 4
    assert len(Conversations(old_home).turns("c")) == 4


def test_threads_lose_nothing(tmp_path: Path) -> None:
    """Threads that write at the same moment, from the first turn on, all find their turns stored, in order."""
    conversations = Conversations(tmp_path)
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def write(name: str) -> None:
        try:
            start.wait()
            for number in range(5):
                conversations.add(name, Turn(str(number), DONE))
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
    """Stored turns can be read; one that cannot be stored is a one-line error, and storing works again with space."""
    conversations = Conversations(small_disk)
    conversations.add("a", Turn("first", DONE))
    fill(small_disk / "filler", 0)
    assert [turn.question for turn in conversations.turns("a")] == ["first"]
    with pytest.raises(DocentError, match=r"cannot be read or written .* check the disk"):
        conversations.add("a", Turn("second " * 10_000, DONE))
    assert [turn.question for turn in conversations.turns("a")] == ["first"]
    (small_disk / "filler").unlink()
    conversations.add("a", Turn("third", DONE))
    assert [turn.question for turn in conversations.turns("a")] == ["first", "third"]


def test_another_process_continues_a_conversation(tmp_path: Path) -> None:
    """What one process has stored another reads, and adds to."""
    conversations = Conversations(tmp_path)
    conversations.add("a", Turn("first", DONE))
    script = (
        "import sys; from pathlib import Path; from assistant.conversations import Conversations\n"
        "from dataclasses import replace\n"
        "conversations = Conversations(Path(sys.argv[1]))\n"
        "(first,) = conversations.turns('a')\n"
        "print(first.done.evidence.sources[1].title)\n"
        "conversations.add('a', replace(first, question='second'))\n"
    )
    command = [sys.executable, "-X", "utf8", "-c", script, str(tmp_path)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=True).stdout
    assert output.strip() == "差旅制度"
    assert [turn.question for turn in conversations.turns("a")] == ["first", "second"]


def test_a_file_that_is_damaged_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line with the file and what to do, for reading and for writing."""
    conversations = Conversations(tmp_path)
    (tmp_path / CONVERSATIONS_FILE).write_bytes(b"this is no database" * 100)
    for attempt in (lambda: conversations.turns("a"), lambda: conversations.add("a", Turn("?", DONE))):
        with pytest.raises(
            DocentError, match=r"conversations\.db cannot be read or written .*move that file to another folder"
        ):
            attempt()
    (tmp_path / "file").touch()
    with pytest.raises(DocentError, match="check the disk"):
        Conversations(tmp_path / "file").add("a", Turn("?", DONE))
