"""What a person is told about a library with all-MiniLM-L6-v2, which reads only English."""

from __future__ import annotations

from ingest.base.settings import Settings
from ingest.passages.embedders.bundled import ENGLISH, MULTILINGUAL, multilingual_problem
from ingest.passages.split_and_embed import estimated_rebuild_minutes
from ingest.store.catalog import CATALOG_FILE, Catalog

_COST = f"{ENGLISH} reads only English, so text in other languages is found by words alone."
_CHANGE = f"`docent rebuild --embedder {MULTILINGUAL}`"


def english_only_note(settings: Settings) -> str:
    """One line that says what the English model costs and how to change it; '' where there is nothing to say.

    There is nothing to say where somebody has set `embedder`, or where the library has another one. A new library has
    none yet: the line then says why it will get the English one. Raises DocentError when the catalog is unreadable.
    """
    if "embedder" in settings.model_fields_set:
        return ""
    if not (settings.home / CATALOG_FILE).is_file():
        return _note_for_new_library()
    catalog = Catalog(settings.home / CATALOG_FILE)
    try:
        card = catalog.embedder()
        if card is None:
            return _note_for_new_library()
        if card["name"] != ENGLISH:
            return ""
        # Measured with the English model; the multilingual one embeds about as many passages a second on CPUs without
        # matrix instructions, and about .6 as many with them (docs/measured.md).
        minutes = estimated_rebuild_minutes(catalog)
    finally:
        catalog.close()
    duration = f", which takes about {minutes} min" if minutes else ""
    problem = multilingual_problem()
    if problem:
        return f"{_COST} {problem} Then run {_CHANGE}{duration}."
    return f"{_COST} To change that, run {_CHANGE}{duration}."


def _note_for_new_library() -> str:
    problem = multilingual_problem()
    return f"A new library gets the embedding model {ENGLISH}. {_COST} {problem}" if problem else ""
