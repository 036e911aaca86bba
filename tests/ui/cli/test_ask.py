"""`docent ask` on the command line."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest

from assistant.answer.quote import NOT_SAID, NOTHING
from assistant.assistant import Assistant
from assistant.events import Citation, EvidenceSentence, Failed
from assistant.refuse.thresholds import THRESHOLDS_FILE, FittedThresholds
from ingest.base.settings import Settings
from tests.ui.cli.conftest import Docent

QUESTION = "How many days of annual leave do full-time staff get?"
ANSWER = "Full-time staff get 25 days of annual leave a year."


@pytest.mark.usefixtures("filled")
def test_ask_prints_an_answer(run_docent: Docent) -> None:
    """As JSON with exactly the promised keys; as text the answer, then the sources that it cites."""
    result = run_docent("ask", f" {QUESTION} ", "--json")
    assert result.code == 0
    answer = result.json
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

    result = run_docent("ask", QUESTION)
    assert result.code == 0
    text, _, sources = result.out.rpartition("\n\n")
    assert text == answer["answer"]
    assert sources.splitlines()[0] == "[1] hr/leave-policy-2026.md · Leave policy 2026"


@pytest.mark.usefixtures("filled")
def test_a_misspelled_word_is_corrected_unless_as_typed(run_docent: Docent) -> None:
    """The answer says what was searched for; with --as-typed nothing is corrected."""
    typed = "How many days of anual leave do full-time staff get?"
    corrected = run_docent("ask", typed, "--json").json
    assert (corrected["searched"], corrected["abstained"]) == (QUESTION, False)
    assert run_docent("ask", typed).out.startswith(f"Searched for: {QUESTION} (with --as-typed: for the text as typed)")
    assert run_docent("ask", typed, "--as-typed", "--json").json["searched"] == ""


@pytest.mark.usefixtures("filled")
def test_a_doubtful_answer_is_given_with_a_caution(run_docent: Docent, settings: Settings) -> None:
    """Below the second threshold the answer stays the same, with a caution in both forms; above it there is none."""
    sure = run_docent("ask", QUESTION, "--json").json
    assert (sure["abstained"], sure["caution"]) == (False, False)
    kept = FittedThresholds(0.0, 1.0, 100, 0.9, 4, 4, 1, "")
    (settings.home / THRESHOLDS_FILE).write_text(json.dumps(asdict(kept)), "utf-8")
    doubtful = run_docent("ask", QUESTION, "--json").json
    assert (doubtful["abstained"], doubtful["caution"]) == (False, True)
    assert doubtful["answer"] == sure["answer"]
    assert "Careful: this may not be what you asked for; check the sources." in run_docent("ask", QUESTION).out


@pytest.mark.usefixtures("filled")
def test_ask_says_when_the_documents_do_not(run_docent: Docent) -> None:
    """To abstain is an answer: exit code 0, the sentence once, and the nearest sources; without any it names none."""
    result = run_docent("ask", "Who won the certificate of the football world cup in 1998?")
    assert result.code == 0
    assert result.out.startswith(f"{NOT_SAID['en']}\n\n[1] ")
    nothing_near = run_docent("ask", "𒉺𒋼𒋛 𒀭𒈹")
    assert (nothing_near.code, nothing_near.out.strip()) == (0, NOTHING["en"])
    assert run_docent("ask", "火星上有没有海洋？", "--json").json["abstained"] is True


@pytest.mark.usefixtures("filled")
def test_the_note_of_the_engine_goes_to_standard_error(run_docent: Docent) -> None:
    """Why answers are only quoted is printed beside the answer, never in it."""
    result = run_docent("ask", QUESTION, "--engine", "auto")
    assert "docent models pull" in result.err
    assert result.out.startswith("From the documents:")
    assert run_docent("ask", QUESTION, "--engine", "auto", "--json").err == ""


@pytest.mark.usefixtures("filled")
def test_an_answer_that_failed_is_one_line_and_exit_code_1(run_docent: Docent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of the failure is what a person reads."""
    failed = Failed("The model was busy for 60 seconds: ask again in a moment.", 504, "abc")
    monkeypatch.setattr(Assistant, "ask", lambda *_arguments, **_options: iter([failed]))
    for json_too in ([], ["--json"]):
        result = run_docent("ask", QUESTION, *json_too)
        assert (result.code, result.out, result.err) == (1, "", f"Error: {failed.message}\n")
