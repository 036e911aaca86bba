"""A writer that can be killed: forks one for every line on standard input, so that each starts in no time.

A line is `HOME ROUNDS LIMIT`: ingest so many rounds of documents (0: until killed), no file longer than LIMIT bytes
(0: as long as it likes). Answers `started PID`, then `ended CODE`: 0 went well, 3 failed with a message of one line,
9 was killed, anything else is a fault.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ingest.base.settings import load_settings
from ingest.base.types import Page, ReadDocument, Vectors
from ingest.passages.embedders import library_embedder
from ingest.passages.embedders.embedder import CARD_FILE, EmbedderCard
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.profile import EmbedderProfile, Scale
from ingest.runs import batch
from ingest.runs.batch import ingest_documents
from ingest.search.indexes import publisher as publish
from tests.conftest import toy_vectors

NAMES = [f"file{number}" for number in range(6)]
SENTENCES = 8


class ToyEmbedder:
    """Enough of an embedder to ingest and to search: vectors of 16 numbers that depend on the words."""

    card = EmbedderCard("toy", "toy", 16, 64, "", "", "toy", "")
    profile = EmbedderProfile(Scale(0.0, 1.0), 1.0, 1.0)
    passage_tokens = 64

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return toy_vectors(texts) if texts else np.zeros((0, 16), np.float32)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = toy_vectors([text])[0]
        return vector

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def unknown_share(self, _text: str) -> float:
        return 0.0

    def weight(self, _question: str) -> float:
        return 1.0


def load_toy(_folder: Path) -> ToyEmbedder:
    return ToyEmbedder()


def prepare_toy(_settings: object, embedders: Path, _repair: bool = False) -> Path:
    folder = embedders / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).write_text("{}")
    return folder


def documents(number: int) -> Iterator[tuple[str, ReadDocument, str]]:
    """Every document as it is in this round; each sentence says of which document and round it is."""
    for name in NAMES:
        filling = " ".join(f"word{i}" for i in range(40))
        text = "\n\n".join(f"{name} round{number} part{part} {filling}." for part in range(SENTENCES))
        yield f"{name}.md", ReadDocument(name, (Page("", text),)), f"{name} {number}"


def write(home: Path, rounds: int) -> None:
    settings = load_settings(home=home, engine="extractive")
    seed = os.getpid()
    for number in range(rounds) if rounds else count():
        ingest_documents(list(documents(seed * 1000 + number)), settings)


def set_up() -> None:
    """Commit and publish as often as can be, with the toy for an embedder."""
    configure_logs("error", console=False)  # standard output is for the answers
    batch.BATCH_PASSAGES = 4
    publish.PUBLISH_SECONDS = 0.0
    publish._PUBLISH_SHARE = 1e9
    library_embedder.prepare_embedder = prepare_toy
    library_embedder.load_embedder = load_toy  # type: ignore[assignment]


def _in_child(home: Path, rounds: int, limit: int) -> int:
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write(home, rounds)
    except DocentError as error:
        return 3 if "\n" not in str(error) else 4
    except Exception:  # noqa: BLE001 - the exit code must show every fault
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    set_up()
    for line in sys.stdin:
        task = SimpleNamespace(**dict(zip(("home", "rounds", "limit"), line.split(), strict=True)))
        process = os.fork()
        if process == 0:
            os._exit(_in_child(Path(task.home), int(task.rounds), int(task.limit)))
        print(f"started {process}", flush=True)
        _, status = os.waitpid(process, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    assert EMBEDDERS_FOLDER == "embedders"
    main()
