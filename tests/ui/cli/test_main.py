from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click
import pytest

from assistant.answer.quote import NOT_SAID
from assistant.assistant import Assistant
from assistant.events import Citation, EvidenceSentence, Failed
from assistant.refuse.thresholds import THRESHOLDS_FILE, FittedThresholds, read_fitted_thresholds
from ingest.base.settings import Settings
from ingest.runs.report import Progress
from ingest.store import write_lock as writer
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock
from ingest.sync import ingest
from tests.fakes.loopback_hub import LoopbackHub, closed_port
from tests.fakes.model_fixtures import hub, tiny_checkpoint  # noqa: F401
from tests.project import PROJECT
from ui.cli.main import docent
from ui.cli.terminal.run import run

COMMAND = str(Path(sys.executable).with_name("docent"))
PROMISED = (
    "ingest", "search", "ask", "serve", "list", "remove", "rebuild", "status", "check", "doctor", "models",
    "models list", "models pull", "eval",
)  # fmt: skip
QUESTION = "How many days of annual leave do full-time staff get?"
ANSWER = "Full-time staff get 25 days of annual leave a year."


class Said:
    """What a command did: its exit code, standard output and standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Say = Callable[..., Said]


@pytest.fixture
def say(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command on this test's library, without a model. Whatever it prints, it is never a traceback."""
    monkeypatch.setenv("DOCENT_HOME", str(home))
    monkeypatch.setenv("DOCENT_ENGINE", "extractive")
    monkeypatch.setenv("DOCENT_MODELS_CACHE", str(home / "models"))
    monkeypatch.setenv("DOCENT_HUB_CONNECT_SECONDS", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def say(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(docent, list(arguments), name="docent")
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Said(code, out, err)

    return say


@pytest.fixture
def filled(settings: Settings, office: Path) -> Settings:
    """The settings of a library that holds the small office."""
    assert ingest([office], settings).failed == []
    return settings


# What programs read


@pytest.mark.usefixtures("filled")
def test_search_prints_hits(say: Say) -> None:
    """As JSON with exactly the promised keys, best first; for people a place and a text each."""
    hits = say("search", "annual leave", "--json", "-k", "3")
    assert hits.code == 0
    assert [list(hit) for hit in hits.json] == [
        ["rank", "score", "document_id", "path", "title", "heading", "page", "passage_id", "text", "newer"]
    ] * 3
    assert [hit["rank"] for hit in hits.json] == [1, 2, 3]
    assert [hit["score"] for hit in hits.json] == sorted((hit["score"] for hit in hits.json), reverse=True)
    assert (hits.json[0]["path"], hits.json[0]["newer"]) == ("hr/leave-policy-2026.md", "")
    assert (hits.json[1]["path"], hits.json[1]["newer"]) == ("hr/leave-policy-2024.md", "hr/leave-policy-2026.md")
    told = say("search", "annual leave").out.splitlines()
    assert told[0].startswith("1. hr/leave-policy-2026.md · Leave policy 2026  [0.")
    assert told[1].strip() == ANSWER
    assert told[2].endswith("(older than hr/leave-policy-2026.md)")
    assert say("search", "差旅费用", "-k", "1", "--json").json[0]["path"] == "finance/差旅.md"


@pytest.mark.usefixtures("filled")
def test_search_says_when_nothing_is_found(say: Say) -> None:
    """No hit is a result, not a failure: an empty list, or a line."""
    assert say("search", "饕餮", "--json").json == []
    assert say("search", "饕餮").out.startswith("No passage found: ")


@pytest.mark.usefixtures("filled")
def test_ask_prints_an_answer(say: Say) -> None:
    """As JSON with exactly the promised keys; for people the answer and then the sources it cites."""
    said = say("ask", f" {QUESTION} ", "--json")
    assert said.code == 0
    answer = said.json
    assert list(answer) == [
        "answer", "citations", "evidence", "abstained", "caution", "confidence", "searched", "engine",
        "finish_reason", "unsupported", "timings",
    ]  # fmt: skip
    assert answer["answer"].startswith(f"From the documents:\n“{ANSWER}” [1]")
    assert list(answer["citations"][0]) == [field.name for field in fields(Citation)]
    assert {"n", "path", "page", "passage_id", "quote"} <= set(answer["citations"][0])
    assert (answer["citations"][0]["path"], answer["citations"][0]["quote"]) == ("hr/leave-policy-2026.md", ANSWER)
    assert list(answer["evidence"][0]) == [field.name for field in fields(EvidenceSentence)]
    assert (answer["abstained"], answer["engine"], answer["finish_reason"]) == (False, "extractive", "stop")
    assert 0.3 <= answer["confidence"] <= 1
    assert {"search", "total"} <= set(answer["timings"])

    told = say("ask", QUESTION)
    assert told.code == 0
    text, _, sources = told.out.rpartition("\n\n")
    assert text == answer["answer"]
    assert sources.splitlines()[0] == "[1] hr/leave-policy-2026.md · Leave policy 2026"


def test_ingest_and_rebuild_end_with_a_fit(say: Say, settings: Settings, office: Path) -> None:
    """What refusing is fitted to is the library as it is now; a run that changes little leaves the fit alone."""
    first = say("ingest", str(office), "--json")
    kept = read_fitted_thresholds(settings.home)
    assert first.code == 0 and kept is not None
    assert first.json["passages"] == kept.passages
    fitted_at = (settings.home / THRESHOLDS_FILE).stat().st_mtime_ns
    say("ingest", str(office))
    assert (settings.home / THRESHOLDS_FILE).stat().st_mtime_ns == fitted_at
    say("rebuild")
    again = read_fitted_thresholds(settings.home)
    assert again is not None and again.last_passage > kept.last_passage


@pytest.mark.usefixtures("filled")
def test_a_doubtful_answer_is_given_with_a_caution(say: Say, settings: Settings) -> None:
    """Above the second threshold there is none; below it, the answer stands and programs and people are told."""
    sure = say("ask", QUESTION, "--json").json
    assert (sure["abstained"], sure["caution"]) == (False, False)
    kept = FittedThresholds(0.0, 1.0, 100, 0.9, 4, 4, 1, "")
    (settings.home / THRESHOLDS_FILE).write_text(json.dumps(asdict(kept)), "utf-8")
    doubtful = say("ask", QUESTION, "--json").json
    assert (doubtful["abstained"], doubtful["caution"]) == (False, True)
    assert doubtful["answer"] == sure["answer"]
    assert "Careful: this may not be what you asked for; check the sources." in say("ask", QUESTION).out


@pytest.mark.usefixtures("filled")
def test_ask_says_when_the_documents_do_not(say: Say) -> None:
    """Not knowing is an answer: exit code 0, the sentence once, and the nearest sources."""
    said = say("ask", "Who won the football world cup in 1998?")
    assert said.code == 0
    assert said.out.startswith(f"{NOT_SAID['en']}\n\n[1] ")
    assert say("ask", "火星上有没有海洋？", "--json").json["abstained"] is True


@pytest.mark.usefixtures("filled")
def test_ask_says_on_standard_error_why_it_only_quotes(say: Say) -> None:
    """The engine's note goes beside the answer, never into it."""
    said = say("ask", QUESTION, "--engine", "auto")
    assert "docent models pull" in said.err
    assert said.out.startswith("From the documents:")
    assert say("ask", QUESTION, "--engine", "auto", "--json").err == ""


@pytest.mark.usefixtures("filled")
def test_an_answer_that_failed_is_one_line_and_exit_code_1(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stream ends with is what the person reads."""
    failed = Failed("The model was busy for 60 seconds: ask again in a moment.", 504, "abc")
    monkeypatch.setattr(Assistant, "ask", lambda *_arguments: iter([failed]))
    for json_too in ([], ["--json"]):
        said = say("ask", QUESTION, *json_too)
        assert (said.code, said.out, said.err) == (1, "", f"Error: {failed.message}\n")


def test_ingest_says_what_it_did(say: Say, office: Path) -> None:
    """As JSON with exactly the promised keys; a file that cannot be read is named and the exit code is 1."""
    first = say("ingest", str(office), "--json")
    assert first.code == 0
    report = first.json
    assert list(report)[:7] == ["added", "updated", "unchanged", "removed", "failed", "passages", "seconds"]
    assert [report[key] for key in list(report)[:6]] == [4, 0, 0, 0, [], 4]
    (office / "it" / "vpn.txt").unlink()
    (office / "broken.docx").write_bytes(b"no document")
    second = say("ingest", str(office), "--json")
    assert second.code == 1
    assert [second.json[key] for key in ("added", "updated", "unchanged", "removed", "passages")] == [0, 0, 3, 1, 3]
    (failure,) = second.json["failed"]
    assert list(failure) == ["path", "reason"]
    assert failure["path"] == str(office / "broken.docx")
    told = say("ingest", str(office))
    assert told.code == 1
    assert told.err.startswith(f"Failed: {office / 'broken.docx'}: ")
    assert told.out.startswith("0 added, 0 updated, 3 unchanged, 0 removed, 1 failed; the library has 3 passages.")


def test_documents_are_listed_removed_and_rebuilt(say: Say, filled: Settings, office: Path) -> None:
    """The list names every document; one removed is gone from it and its file stays; a rebuild keeps the rest."""
    listed = say("list", "--json").json
    assert [document["name"] for document in listed] == [
        "finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt",
    ]  # fmt: skip
    assert listed[0]["title"] == "差旅标准"
    told = say("list").out.splitlines()
    assert "finance/差旅.md" in told[0]
    assert told[-1] == "4 documents."

    removed = say("remove", "it/vpn.txt", "hr/nothing.md", "--json")
    assert removed.code == 1
    assert removed.json["removed"] == ["it/vpn.txt"]
    assert [failure["path"] for failure in removed.json["failed"]] == ["hr/nothing.md"]
    again = say("remove", "it/vpn.txt")
    assert again.code == 1
    assert again.err.startswith("Not removed: it/vpn.txt: ")
    assert say("remove", str(office / "hr" / "leave-policy-2024.md")).out == "Removed: hr/leave-policy-2024.md.\n"
    assert (office / "it" / "vpn.txt").is_file()
    assert [document["name"] for document in say("list", "--json").json] == [
        "finance/差旅.md", "hr/leave-policy-2026.md",
    ]  # fmt: skip

    rebuilt = say("rebuild", "--json")
    assert rebuilt.code == 0
    assert (rebuilt.json["updated"], rebuilt.json["passages"], rebuilt.json["failed"]) == (2, 2, [])
    assert say("search", "annual leave", "--json").json[0]["path"] == "hr/leave-policy-2026.md"
    assert Catalog(filled.home / CATALOG_FILE).counts() == (2, 2)


def test_status_and_check_say_how_the_library_is(say: Say, filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, embedder and problems; a whole library has none and exit code 0, a damaged one is said with 1."""
    status = say("status", "--json")
    assert status.code == 0
    assert list(status.json) == [
        "home", "documents", "passages", "revision", "embedder", "building", "problem", "note", "work",
    ]  # fmt: skip
    assert status.json["home"] == str(filled.home)
    assert (status.json["documents"], status.json["passages"], status.json["problem"]) == (4, 4, "")
    assert (status.json["embedder"], status.json["building"]) == ("all-MiniLM-L6-v2", False)
    assert say("status").out == f"{filled.home}: 4 documents, 4 passages, embedder all-MiniLM-L6-v2.\n"
    monkeypatch.setattr(writer, "_NOTE_SECONDS", 0.0)
    with write_lock(filled.home, "docent rebuild") as tell:
        tell(Progress(40, 90, 700, "", pages=60, seconds=20.0, left=130.0))
        _, line = say("status").out.splitlines()
        assert line.startswith("In progress: docent rebuild (process ")
        assert line.endswith("), 40 of 90 files, 60 pages, 35 passages/s, about 2 min left.")
        work = say("status", "--json").json["work"]
        assert (work["doing"], work["done"], work["total"], work["left"]) == ("docent rebuild", 40, 90, 130)
        assert (work["pages"], work["passages_per_second"]) == (60, 35.0)
    assert (say("check").out, say("check", "--json").json) == ("No problems found.\n", {"problems": []})

    catalog = Catalog(filled.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "fingerprint": "0" * 16})
    catalog.close()
    broken = say("status")
    assert broken.code == 1
    assert broken.err.startswith("Problem: ")
    assert say("status", "--json").json["problem"] != ""
    checked = say("check", "--json")
    assert checked.code == 1
    assert any(problem.startswith("embedder: ") for problem in checked.json["problems"])
    told = say("check")
    assert told.err.splitlines() == checked.json["problems"]
    assert told.out == f"Problems found: {len(checked.json['problems'])}.\n"


@pytest.mark.usefixtures("filled")
def test_doctor_prints_its_findings(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each; the exit code says whether all is well."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    well = say("doctor", "--json")
    assert [list(finding) for finding in well.json] == [["name", "ok", "text"]] * 8
    assert {finding["name"]: finding["ok"] for finding in well.json}["library"] is True
    told = say("doctor", "--model", "nonsense", "--engine", "auto")
    assert told.code == 1
    problems = [line for line in told.out.splitlines() if line.startswith("PROBLEM  ")]
    assert [line.split()[1].rstrip(":") for line in problems] == ["engine", "chat"]


def test_models_are_listed_and_pulled(
    say: Say, home: Path, hub: LoopbackHub, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """A model that is not here is said to be so; pulled from the hub it is here, whole, and listed as ready."""
    monkeypatch.setenv("DOCENT_MODEL", "owner/tiny")
    hub.add_folder("owner/tiny", tiny_checkpoint)
    before = say("models", "list", "--json")
    assert before.code == 0
    assert [list(state) for state in before.json] == [["name", "role", "path", "size", "state"]] * 2
    assert [(state["name"], state["path"], state["state"]) for state in before.json] == [
        ("owner/tiny", "", "not here"),
        ("all-MiniLM-L6-v2", "", "bundled"),
    ]
    pulled = say("models", "pull", "--json")
    assert pulled.code == 0
    (ready,) = pulled.json
    assert Path(ready).is_dir()
    assert Path(ready).is_relative_to(home / "models")
    state = say("models", "list", "--json").json[0]
    assert (state["name"], state["role"], state["state"]) == ("owner/tiny", "chat", "ready")
    here = Path(state["path"])
    assert (here / "model.safetensors").read_bytes() == (tiny_checkpoint / "model.safetensors").read_bytes()
    assert state["size"] >= sum(file.stat().st_size for file in tiny_checkpoint.iterdir())
    assert say("models", "pull").out == f"Ready: {ready}\n"
    assert say("models", "list").out.splitlines()[0].endswith("MB, ready)")


# What goes wrong


@pytest.mark.parametrize(
    "arguments", [["search", "leave"], ["ask", "leave"], ["list"], ["check"], ["remove", "1"], ["rebuild"]]
)
def test_without_a_library_every_command_says_how_to_make_one(say: Say, arguments: list[str]) -> None:
    """One line on standard error that ends in what to do, and exit code 1."""
    said = say(*arguments)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: ")
    assert "docent ingest FOLDER" in said.err
    assert said.err.count("\n") == 1


def test_status_of_no_library_is_no_failure(say: Say) -> None:
    """A machine that has not ingested yet is empty, not broken."""
    status = say("status", "--json")
    assert (status.code, status.json["documents"], status.json["problem"]) == (0, 0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "  "], "TEXT is empty"),
        (["ask", ""], "TEXT is empty"),
        (["ask", "x" * 1001], "1 to 1000 characters"),
        (["search"], "Missing argument 'TEXT'"),
        (["search", "leave", "-k", "0"], "Invalid value for '-k'"),
        (["search", "leave", "--colour"], "No such option '--colour'"),
        (["find", "leave"], "No such command 'find'"),
        (["ingest"], "Missing argument 'PATHS...'"),
        (["serve", "--port", "99999"], "setting 'port' is '99999'"),
        (["ask", "leave", "--engine", "magic"], "setting 'engine' is 'magic'"),
        (["ask", "leave", "--temperature", "-1"], "setting 'temperature' is '-1'"),
        (["eval", "nowhere"], "not in BEIR layout"),
        (["eval", "nowhere", "--limit", "0"], "Invalid value for '--limit'"),
        (["models", "pull", "nonsense"], "'nonsense' is not of the form owner/name"),
    ],
)
def test_a_wrong_command_is_exit_code_2(say: Say, arguments: list[str], said: str) -> None:
    """What is wrong is named on standard error, nothing is printed, and there is no traceback."""
    wrong = say(*arguments)
    assert (wrong.code, wrong.out) == (2, "")
    assert said in wrong.err
    assert "Traceback" not in wrong.err
    assert wrong.err.splitlines()[-1].startswith("Error: ")


def test_a_wrong_setting_is_named_wherever_it_came_from(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, from the file, or misspelt: one line with the key, and exit code 2."""
    monkeypatch.setenv("DOCENT_PASSAGES", "many")
    wrong = say("list")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "'passages' is 'many'" in wrong.err
    monkeypatch.delenv("DOCENT_PASSAGES")
    monkeypatch.setenv("DOCENT_MODLE", "x")
    assert "DOCENT_MODLE is not a setting" in say("list").err
    monkeypatch.delenv("DOCENT_MODLE")
    Path("docent.toml").write_text("passages = 0\n", "utf-8")
    assert "'passages' is 0" in say("list").err
    Path("docent.toml").write_text("passages = \n", "utf-8")
    wrong = say("list")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "docent.toml is not valid TOML" in wrong.err


def test_another_embedder_asks_for_a_rebuild(say: Say, filled: Settings, office: Path) -> None:
    """Ingesting with another embedder than the library's is refused with exit code 2 and the way out."""
    catalog = Catalog(filled.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "name": "BAAI/bge-m3", "fingerprint": "0" * 16})
    catalog.close()
    wrong = say("ingest", str(office), "--embedder", "all-MiniLM-L6-v2")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "'BAAI/bge-m3'" in wrong.err
    assert "`docent rebuild`" in wrong.err


@pytest.mark.usefixtures("filled")
def test_a_port_that_is_taken_is_said(say: Say) -> None:
    """Exit code 1 and a line that names the port and the option."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = say("serve", "--port", str(port))
    assert said.code == 1
    assert said.err.splitlines()[-1] == (
        f"Error: Port {port} on 127.0.0.1 is taken: stop what uses it or choose another with `docent serve --port`."
    )


def test_a_hub_that_does_not_answer_is_said(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 and a line that names the hub and the variable."""
    endpoint = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", endpoint)
    said = say("models", "pull")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert endpoint in said.err
    assert "MODELSCOPE_ENDPOINT" in said.err


# As processes


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "utf8", "-c", script, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=False)


def test_help_is_quick_everywhere() -> None:
    """The command and each of its commands, the promised ones among them, explain themselves without loading torch,
    transformers or the page."""
    commands = ["", *every_command(docent)]
    assert set(PROMISED) <= set(commands)
    script = (
        "import sys\nfrom ui.cli.terminal.run import run\nfrom ui.cli.main import docent\n"
        "for words in sys.argv[1:]:\n    print('##', words, run(docent, [*words.split(), '--help'], name='docent'))\n"
        "print([name for name in ('torch', 'transformers', 'streamlit', 'sentence_transformers', 'modelscope')"
        " if name in sys.modules])"
    )
    said = python(script, *commands)
    assert said.stderr == ""
    *pages, loaded = said.stdout.strip().splitlines()
    assert loaded == "[]"
    assert [line for line in pages if line.startswith("##")] == [f"## {words} 0" for words in commands]
    for words in commands:
        assert f"Usage: {' '.join(['docent', *words.split()])} " in said.stdout


def every_command(group: click.Group, before: str = "") -> Iterator[str]:
    """The words of each command, groups included."""
    for name, command in group.commands.items():
        yield f"{before}{name}"
        if isinstance(command, click.Group):
            yield from every_command(command, f"{before}{name} ")


def test_searching_does_not_load_torch(filled: Settings) -> None:
    """A search in a process of its own finds the passage without torch or transformers."""
    script = (
        "import sys\nfrom ui.cli.terminal.run import run\nfrom ui.cli.main import docent\n"
        "code = run(docent, sys.argv[1:])\n"
        "print([code, *(name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules)])"
    )
    said = python(script, "search", "annual leave", "--home", str(filled.home))
    assert said.stdout.startswith("1. hr/leave-policy-2026.md")
    assert said.stdout.splitlines()[-1] == "[0]"


def test_the_console_script_works(filled: Settings, tmp_path: Path) -> None:
    """`docent` as installed: JSON on standard output alone, a mistake as one line, and the right exit codes."""

    def process(*arguments: str) -> Said:
        command = [COMMAND, *arguments, "--home", str(filled.home)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
        return Said(done.returncode, done.stdout, done.stderr)

    asked = process("ask", QUESTION, "--engine", "extractive", "--json")
    assert (asked.code, asked.err) == (0, "")
    assert asked.json["citations"][0]["quote"] == ANSWER
    wrong = process("ask", "leave", "--engine", "magic")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
