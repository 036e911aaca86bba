"""Follow-up questions of a set are measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.measure.evaluate_follow_ups import FOLLOWUPS_FILE, FollowUp, evaluate_followups, read_followups
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.sync import ingest

ROW: dict[str, Any] = {
    "_id": "1", "turns": ["What is the hotel limit in Munich?"], "text": "And in Paris?",
    "standalone": "What is the hotel limit in Paris?", "relevant": ["paris.md"], "follows": True,
}  # fmt: skip


@pytest.fixture
def library(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """Three documents, two of which have Paris in them."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "paris.md").write_text("The hotel limit in Paris is 180 euros a night.", "utf-8")
    (folder / "office.md").write_text("Paris.\n\nParis!", "utf-8")
    (folder / "munich.md").write_text("The hotel limit in Munich is 160 euros a night.", "utf-8")
    ingest([folder], settings)
    library = Library(settings.home)
    yield library
    library.close()


def test_three_ways_and_new_topics(library: Library) -> None:
    """Completed it finds what its stand-alone form finds, as asked it does not; a new topic is searched as it is."""
    follows = FollowUp("And in Paris?", tuple(ROW["turns"]), ROW["standalone"], ("paris.md",), True)
    new = FollowUp("When is the canteen open?", tuple(ROW["turns"]), "When is the canteen open?", (), False)
    figures = evaluate_followups(library, [follows, new])
    assert figures["followups"] == 2
    assert figures["followup_ndcg@10_as_asked"] < 1
    assert figures["followup_ndcg@10"] == figures["followup_ndcg@10_standalone"] == 1
    assert figures["new_topics_unchanged"] == 1
    assert figures["followup_p95_ms"] > 0
    assert "new_topics_unchanged" not in evaluate_followups(library, [follows])
    assert evaluate_followups(library, []) == {}


def test_reading_a_set(tmp_path: Path) -> None:
    """A set without such a file has no follow-ups; a line that is none is named."""
    assert read_followups(tmp_path) == []
    path = tmp_path / FOLLOWUPS_FILE
    path.write_text(json.dumps(ROW) + "\n\n", "utf-8")
    assert read_followups(tmp_path) == [
        FollowUp("And in Paris?", tuple(ROW["turns"]), ROW["standalone"], ("paris.md",), True)
    ]
    for line in ("{", "[]", json.dumps({**ROW, "turns": None}), json.dumps({"text": "x"})):
        path.write_text(json.dumps(ROW) + "\n" + line, "utf-8")
        with pytest.raises(SettingsError, match="line 2, is not an object"):
            read_followups(tmp_path)
