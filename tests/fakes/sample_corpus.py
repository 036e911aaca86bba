"""The sample company as `data/eval/corpus.jsonl`: what the project's own readers make of `data/documents`.

Run `python -m tests.fakes.sample_corpus` after changing a document or a reader; `test_sample_company.py` compares.
"""

from __future__ import annotations

import json

from ingest.documents.read import read
from tests.project import PROJECT

DOCUMENTS = PROJECT / "data" / "documents"
CORPUS = PROJECT / "data" / "eval" / "corpus.jsonl"


def corpus_lines() -> list[str]:
    """One JSON object a line, a line a document, in the order of their paths."""
    lines = []
    for path in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        (document,) = read(path).documents
        entry = {"_id": path.relative_to(DOCUMENTS).as_posix(), "title": document.title, "text": document.text}
        lines.append(json.dumps(entry, ensure_ascii=False))
    return lines


if __name__ == "__main__":
    CORPUS.write_text("\n".join(corpus_lines()) + "\n", "utf-8")
    print(f"wrote {CORPUS.relative_to(PROJECT)}")
