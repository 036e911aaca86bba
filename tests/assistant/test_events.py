"""The record of an answer as JSON: what scripts and other programs rely on."""

from __future__ import annotations

import json

from assistant.events import Citation, Done, Evidence, EvidenceSentence, Source, to_json

SOURCE = Source(1, 11, 7, "leave.md", "Leave policy", "Annual leave", "p. 3", "25 days.", 0.9)
SENTENCE = EvidenceSentence(1, "25 days.", 0, 8, 0.75, "25 days.")
CITATION = Citation(1, "leave.md", "Leave policy", "Annual leave", "p. 3", 11, 7, "25 days.")


def test_the_json_of_an_answer_has_every_field_of_the_contract() -> None:
    """The keys and values that `docent ask --json`, `POST /chat` and the stream share; sources are not among them."""
    evidence = Evidence((SOURCE,), (SENTENCE,), 0.83, abstained=False, searched="How many days?", caution=True)
    done = Done(evidence, "25 days. [1]", (CITATION,), "openvino", "stop", ("It is 30.",), {"total": 0.5})
    assert json.loads(json.dumps(to_json(done))) == {
        "answer": "25 days. [1]",
        "citations": [
            {
                "n": 1, "path": "leave.md", "title": "Leave policy", "heading": "Annual leave", "page": "p. 3",
                "passage_id": 11, "document_id": 7, "quote": "25 days.",
            }
        ],
        "evidence": [{"n": 1, "text": "25 days.", "start": 0, "end": 8, "score": 0.75, "shown": "25 days."}],
        "abstained": False,
        "caution": True,
        "confidence": 0.83,
        "searched": "How many days?",
        "engine": "openvino",
        "finish_reason": "stop",
        "unsupported": ["It is 30."],
        "timings": {"total": 0.5},
    }  # fmt: skip
