"""The embedder of a library: the one it was made with, unless a setting names another.

Without a setting, the library keeps its embedder, so that no setting is needed after `docent rebuild --embedder NAME`.
When a setting names another embedder, adding documents is an error, because vectors of two embedders cannot be
compared, and a rebuild changes to that embedder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError, SettingsError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.passages.embedders.embedder import CARD_FILE, Embedder, load_embedder, read_card
from ingest.passages.embedders.prepare import prepare_embedder, restore_embedder
from ingest.passages.embedders.prepared_files import changed_files
from ingest.passages.embedders.unavailable import UnavailableEmbedder
from ingest.passages.split_and_embed import PassageEmbedder, estimated_rebuild_minutes
from ingest.store.catalog import Catalog

EMBEDDERS_FOLDER = "embedders"
# A passage of fewer tokens than this has too little content to be found.
_LEAST_PASSAGE_TOKENS = 16
_SETTINGS = {"embedder", "embedder_query_prefix", "embedder_passage_prefix"}
log = get_logger(__name__)


def embedder_for_adding(catalog: Catalog, settings: Settings, repair: bool = False) -> Path:
    """The folder of the prepared embedder with which documents are added.

    `repair` is that of `prepare_embedder`. Raises SettingsError when the settings name an embedder that is not the
    library's, DocentError as `prepare_embedder`.
    """
    card = catalog.embedder()
    if card is None:
        return prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER, repair)
    if not _SETTINGS & settings.model_fields_set:
        return embedder_of_library(card, settings, repair)
    folder = embedder_for_rebuild(card, settings, repair)
    if folder.name == card["fingerprint"]:
        return folder
    minutes = estimated_rebuild_minutes(catalog)
    duration = f", about {minutes} min" if minutes else ""
    same_name = card["name"] == _with_library_defaults(card, settings).embedder
    made_with = "another version of it or other prefixes" if same_name else repr(card["name"])
    raise SettingsError(
        f"setting 'embedder' is {settings.embedder!r}, but the library was made with {made_with}: a rebuild is needed "
        f"({catalog.counts()[1]} passages{duration}). Run `docent rebuild` with that setting, or remove it to keep "
        "the library's."
    )


def passage_embedder(catalog: Catalog, settings: Settings) -> PassageEmbedder:
    """A `PassageEmbedder` with the library's embedder, which is opened at first use and recorded in a new library.

    Raises SettingsError as `embedder_for_adding` does.
    """
    folder = embedder_for_adding(catalog, settings)

    def load() -> Embedder:
        embedder = require_passage_room(
            open_or_repair(folder, lambda: embedder_for_adding(catalog, settings, repair=True))
        )
        if catalog.embedder() is None:
            catalog.set_embedder(asdict(embedder.card))
        return embedder

    return PassageEmbedder(load)


def open_or_repair(folder: Path, prepare_again: Callable[[], Path], every_byte: bool = False) -> Embedder:
    """The embedder in `folder`; when that is damaged, the one in the folder that `prepare_again` returns.

    With `every_byte` all checksums are compared first. Raises DocentError when that cannot be opened either.
    """
    if not changed_files(folder, every_byte):
        try:
            return load_embedder(folder)
        except DocentError:
            log.warning("embedder.damaged", folder=str(folder), exc_info=True)
    return load_embedder(prepare_again())


def embedder_for_search(values: dict[str, Any], home: Path) -> Embedder:
    """The embedder with these values of its card. A damaged or missing one is prepared again where that needs no hub.

    Where that is impossible, this is an `UnavailableEmbedder`, whose `problem` is one line with what to do.
    """
    folder = home / EMBEDDERS_FOLDER / str(values["fingerprint"])
    try:
        return load_embedder(folder)
    except DocentError:
        log.warning("embedder.damaged", folder=str(folder), exc_info=True)
    card = read_card(values)
    try:
        return load_embedder(restore_embedder(card, home / EMBEDDERS_FOLDER))
    except DocentError as error:
        reason = str(error)
    except OSError as error:
        reason = f"It cannot be prepared again in {folder} ({error.strerror}): correct that and search again."
        log.warning("embedder.not_restored", exc_info=True)
    problem = f"The library's embedding model {card.name} is missing or damaged, so only words are searched. {reason}"
    return UnavailableEmbedder(card, problem)


def embedder_of_library(card: dict[str, Any], settings: Settings, repair: bool = False) -> Path:
    """The folder of the embedder with this card, prepared again when it was deleted or cut short.

    `repair` is that of `prepare_embedder`. Raises SettingsError when the model of that name has changed since.
    """
    folder = settings.home / EMBEDDERS_FOLDER / str(card["fingerprint"])
    if not repair and (folder / CARD_FILE).is_file() and not changed_files(folder):
        return folder
    library_settings = settings.model_copy(
        update={
            "embedder": card["name"],
            "embedder_query_prefix": card["query_prefix"],
            "embedder_passage_prefix": card["passage_prefix"],
        }
    )
    prepared = prepare_embedder(library_settings, settings.home / EMBEDDERS_FOLDER, repair)
    if prepared.name != folder.name:
        raise SettingsError(
            f"The library's embedder {card['name']!r} is not the one on this machine any more: put back the version "
            "the library was made with, or run `docent rebuild` to change to this one."
        )
    return prepared


def embedder_for_rebuild(card: dict[str, Any] | None, settings: Settings, repair: bool = False) -> Path:
    """The folder of the prepared embedder to rebuild with: the one the settings name, else the library's.

    `repair` is that of `prepare_embedder`.
    """
    return prepare_embedder(_with_library_defaults(card, settings), settings.home / EMBEDDERS_FOLDER, repair)


def _with_library_defaults(card: dict[str, Any] | None, settings: Settings) -> Settings:
    """The settings, with the library's embedder and prefixes where none are set."""
    if card is None or "embedder" in settings.model_fields_set:
        return settings
    library = {
        "embedder": card["name"],
        "embedder_query_prefix": card["query_prefix"],
        "embedder_passage_prefix": card["passage_prefix"],
    }
    return settings.model_copy(update={key: library[key] for key in _SETTINGS - settings.model_fields_set})


def require_passage_room(embedder: Embedder) -> Embedder:
    """The embedder itself. Raises SettingsError when its passage prefix leaves the model no room to read a passage."""
    if embedder.passage_tokens < _LEAST_PASSAGE_TOKENS:
        raise SettingsError(
            f"setting 'embedder_passage_prefix' is {embedder.card.passage_prefix!r}: it leaves "
            f"{max(0, embedder.passage_tokens)} of the {embedder.card.max_tokens} tokens that {embedder.card.name} "
            "reads; shorten it."
        )
    return embedder
