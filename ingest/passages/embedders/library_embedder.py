"""Which embedder a library is written with: its own, unless a setting explicitly asks for another. Embeds nothing.

A setting that nobody made follows the library, so that after `docent rebuild --embedder NAME` nothing else needs to
be set. One that somebody made and that differs from the library is an error for those who add to it, since vectors of
two embedders cannot be compared, and the wish of a rebuild.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.base.errors import SettingsError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.passages.embedders.embedder import CARD_FILE, Embedder, prepare_embedder
from ingest.passages.split_and_embed import estimated_rebuild_minutes
from ingest.store.catalog import Catalog

EMBEDDERS_FOLDER = "embedders"
# Fewer tokens than this are not a passage any more.
_LEAST_PASSAGE_TOKENS = 16
_SETTINGS = {"embedder", "embedder_query_prefix", "embedder_passage_prefix"}
log = get_logger(__name__)


def embedder_for_adding(catalog: Catalog, settings: Settings) -> Path:
    """The folder of the compiled embedder to add documents with. Raises SettingsError when another is asked for."""
    card = catalog.embedder()
    if card is None:
        return prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER)
    if not _SETTINGS & settings.model_fields_set:
        return embedder_of_library(card, settings)
    folder = embedder_for_rebuild(card, settings)
    if folder.name == card["fingerprint"]:
        return folder
    minutes = estimated_rebuild_minutes(catalog)
    takes = f", about {minutes} min" if minutes else ""
    same = card["name"] == _followed(card, settings).embedder
    made = "another version of it or other prefixes" if same else repr(card["name"])
    raise SettingsError(
        f"setting 'embedder' is {settings.embedder!r}, but the library was made with {made}: a rebuild is needed "
        f"({catalog.counts()[1]} passages{takes}). Run `docent rebuild` with that setting, or take it out to go on "
        "with the library's."
    )


def embedder_of_library(card: dict[str, Any], settings: Settings) -> Path:
    """The folder of a library's embedder, made again when it is gone. Raises SettingsError when that gives another."""
    folder = settings.home / EMBEDDERS_FOLDER / str(card["fingerprint"])
    if (folder / CARD_FILE).is_file():
        return folder
    own = settings.model_copy(
        update={
            "embedder": card["name"],
            "embedder_query_prefix": card["query_prefix"],
            "embedder_passage_prefix": card["passage_prefix"],
        }
    )
    made = prepare_embedder(own, settings.home / EMBEDDERS_FOLDER)
    if made.name != folder.name:
        raise SettingsError(
            f"The library's embedder {card['name']!r} is not the one here any more: put back the version the library "
            "was made with, or run `docent rebuild` to go over to this one."
        )
    return made


def embedder_for_rebuild(card: dict[str, Any] | None, settings: Settings) -> Path:
    """The folder of the embedder to rebuild with: what settings ask for, else what the library has."""
    return prepare_embedder(_followed(card, settings), settings.home / EMBEDDERS_FOLDER)


def _followed(card: dict[str, Any] | None, settings: Settings) -> Settings:
    if card is None or "embedder" in settings.model_fields_set:
        return settings
    library = {
        "embedder": card["name"],
        "embedder_query_prefix": card["query_prefix"],
        "embedder_passage_prefix": card["passage_prefix"],
    }
    return settings.model_copy(update={key: library[key] for key in _SETTINGS - settings.model_fields_set})


def require_passage_room(embedder: Embedder) -> Embedder:
    """Raises SettingsError when the prefix before every passage leaves the model no room to read one."""
    if embedder.passage_tokens < _LEAST_PASSAGE_TOKENS:
        raise SettingsError(
            f"setting 'embedder_passage_prefix' is {embedder.card.passage_prefix!r}: it leaves "
            f"{max(0, embedder.passage_tokens)} of the {embedder.card.max_tokens} tokens that {embedder.card.name} "
            "reads; shorten it."
        )
    return embedder
