"""What the tests of a question's walk share: a few documents, an assistant over them, and readers of its events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.assistant import Assistant
from assistant.engines.choose import EngineChoice
from assistant.events import Delta, Done, Event
from ingest.base.settings import Settings
from tests.conftest import copy_library, ingested_once
from tests.fakes.scripted_engine import ScriptedEngine, saying

LEAVE = "Every employee has 25 days of annual leave a year."
CARRY_OVER = "Unused days of annual leave may be carried over until 31 March."
DOCUMENTS = {
    "leave.md": f"# Leave policy\n\n## Annual leave\n\n{LEAVE} {CARRY_OVER}\n\n## Sick leave\n\n"
    "Tell your manager on the first day. A doctor's note is needed from the fourth day of illness.\n",
    "travel.md": "# Travel guide\n\n## Hotels\n\nA hotel room may cost up to 150 euros a night.\n",
    "休假制度.md": "# 休假制度\n\n## 年休假\n\n员工每年享有25天年休假。未休年休假须在次年3月31日前使用。\n",
}
QUESTION = "How many days of annual leave does an employee have?"


def endless() -> Iterator[str]:
    while True:
        time.sleep(0.01)
        yield "and "


@pytest.fixture(scope="session")
def ingested_documents(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Path:
    """`DOCUMENTS` and their library, ingested once in this test run."""

    def write(folder: Path) -> None:
        for name, text in DOCUMENTS.items():
            (folder / name).write_text(text, "utf-8")

    return ingested_once(tmp_path_factory, "assistant-library", embedders_folder, write)


@pytest.fixture
def documents(settings: Settings, tmp_path: Path, ingested_documents: Path) -> Path:
    """A folder of English and Chinese documents that the library in `settings.home` holds."""
    copy_library(ingested_documents, tmp_path / "documents", settings.home)
    return tmp_path / "documents"


Make = Callable[..., Assistant]


@pytest.fixture
def assistant_with(settings: Settings, documents: Path) -> Iterator[Make]:  # noqa: ARG001
    """Makes an assistant over the documents, with a scripted engine and changed settings."""
    assistants: list[Assistant] = []

    def make(engine: ScriptedEngine | None = None, **changes: Any) -> Assistant:
        choice = EngineChoice(engine or saying(LEAVE))
        assistant = Assistant(settings.model_copy(update=changes), lambda _settings: choice)
        assistant.load()
        assistants.append(assistant)
        return assistant

    yield make
    for assistant in assistants:
        assistant.close()


def kinds(events: Sequence[Event]) -> list[str]:
    """The kinds of event in order, each run of the same kind once."""
    names = [type(event).__name__ for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def done_of(events: Sequence[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done), last
    return last


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def log_records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "docent.log").read_text("utf-8").splitlines()]
