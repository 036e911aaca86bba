"""Prepare an embedder: find its model, compile it with OpenVINO, save it in a new folder.

The model is a bundled one, a sentence-transformers folder, or a ModelScope name. The prepared folder needs neither
torch nor the network; its name is the embedder's fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError, SettingsError
from ingest.base.files import alone_in, whole_folder
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.hub.cache import find_downloaded, is_hub_name
from ingest.hub.download import download
from ingest.passages.embedders.bundled import (
    BUNDLED,
    ENGLISH,
    MULTILINGUAL,
    MULTILINGUAL_PROMPTS,
    WeightsUnusable,
    compile_multilingual,
    english_folder,
    multilingual_fingerprint,
)
from ingest.passages.embedders.embedder import CARD_FILE, EmbedderCard, open_prepared
from ingest.passages.embedders.prepared_files import changed_files, has_checksums, write_checksums

# The files that identify a model: its weights, its vocabulary and the chain of its modules.
_FINGERPRINTED = (
    "*.safetensors", "pytorch_model*.bin", "tokenizer.json", "vocab.txt", "modules.json",
    "*/config.json", "*/*.safetensors", "*/pytorch_model.bin",
)  # fmt: skip
log = get_logger(__name__)


def prepare_embedder(settings: Settings, embedders: Path, repair: bool = False) -> Path:
    """The folder, below `embedders`, of the embedder that the settings name; prepares it if it does not exist.

    A folder with files that are missing or cut short is made again; with `repair` also one with any other damage, and
    one without checksums. Where nobody has set an embedder and multilingual-e5-small cannot be prepared, this is
    all-MiniLM-L6-v2. Raises SettingsError when the setting names no model, DocentError when the model cannot be
    downloaded or loaded.
    """
    try:
        return _prepared(_model_of(settings), embedders, repair)
    except WeightsUnusable as error:
        if settings.embedder != MULTILINGUAL or "embedder" in settings.model_fields_set:
            raise
        log.warning("embedder.english_only", reason=str(error))
        return _prepared(_model_of(settings.model_copy(update={"embedder": ENGLISH})), embedders, repair)


def restore_embedder(card: EmbedderCard, embedders: Path) -> Path:
    """Prepare the embedder with this card again, from its package or folder; returns its folder below `embedders`.

    Raises DocentError when that is not on this machine or is another version, OSError when it cannot be written.
    """
    if card.name == MULTILINGUAL:
        source = None
    elif card.name == ENGLISH:
        source = english_folder()
    elif Path(card.source).is_dir():
        source = Path(card.source)
    else:
        raise DocentError(
            f"It was prepared from {card.source}, which is not there: put that back, or run `docent rebuild` with "
            "another `embedder`."
        )
    model = _Model(card.name, source, card.query_prefix, card.passage_prefix)
    if model.fingerprint() != card.fingerprint:
        raise DocentError(
            f"The embedding model {card.name} on this machine is another version of it: put back the version the "
            "library was made with, or run `docent rebuild` to change to this one."
        )
    return _prepared(model, embedders, repair=True)


@dataclass(frozen=True)
class _Model:
    """What is prepared: `source` is a sentence-transformers folder, or None for multilingual-e5-small."""

    name: str
    source: Path | None
    query_prefix: str
    passage_prefix: str

    def fingerprint(self) -> str:
        """The name of the prepared folder. Reads every byte of the source."""
        if self.source is None:
            return multilingual_fingerprint(self.query_prefix, self.passage_prefix)
        return _fingerprint(self.source, self.query_prefix, self.passage_prefix)


def _model_of(settings: Settings) -> _Model:
    source = None if settings.embedder == MULTILINGUAL else embedder_source(settings)
    prompts = MULTILINGUAL_PROMPTS if source is None else _prompts(source)
    query_prefix = settings.embedder_query_prefix
    passage_prefix = settings.embedder_passage_prefix
    if query_prefix is None:
        query_prefix = prompts.get("query", "")
    if passage_prefix is None:
        passage_prefix = prompts.get("document") or prompts.get("passage", "")
    return _Model(settings.embedder, source, query_prefix, passage_prefix)


def _prepared(model: _Model, embedders: Path, repair: bool) -> Path:
    fingerprint = model.fingerprint()
    target = embedders / fingerprint
    if _is_whole(target, repair):
        return target
    log.info("embedder.preparing", name=model.name, fingerprint=fingerprint, again=target.exists())
    with alone_in(embedders):
        if not _is_whole(target, repair):  # or another process has prepared it meanwhile
            with whole_folder(target) as unfinished:
                card = _compiled(model, unfinished, fingerprint)
                open_prepared(unfinished, card)  # measures its profile and stores it
                write_checksums(unfinished)
                (unfinished / CARD_FILE).write_text(json.dumps(asdict(card), ensure_ascii=False, indent=1), "utf-8")
    return target


def _is_whole(folder: Path, every_byte: bool) -> bool:
    if not (folder / CARD_FILE).is_file() or (every_byte and not has_checksums(folder)):
        return False
    return not changed_files(folder, every_byte)


def _compiled(model: _Model, folder: Path, fingerprint: str) -> EmbedderCard:
    if model.source is None:
        return compile_multilingual(folder, fingerprint, model.query_prefix, model.passage_prefix)
    return _compile(model.name, model.source, folder, fingerprint, model.query_prefix, model.passage_prefix)


def embedder_source(settings: Settings) -> Path:
    """The sentence-transformers folder that the setting names; downloads a ModelScope model when necessary.

    Raises as `prepare_embedder` does.
    """
    if settings.embedder == ENGLISH:
        return english_folder()
    folder = Path(os.path.expanduser(settings.embedder))  # noqa: PTH111 - Path.expanduser raises for '~nobody'
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise SettingsError(
                f"setting 'embedder' is {settings.embedder!r}: that folder holds no sentence-transformers model "
                "(no modules.json or config.json)."
            )
        return folder.resolve()
    if not is_hub_name(settings.embedder):
        raise SettingsError(
            f"setting 'embedder' is {settings.embedder!r}: allowed are {' and '.join(BUNDLED)}, a ModelScope name "
            "(owner/name) or a folder that exists."
        )
    return find_downloaded(settings.embedder, settings.models_cache) or download(
        settings.embedder, settings.models_cache, settings.hub_connect_seconds
    )


def _compile(
    name: str, source: Path, target: Path, fingerprint: str, query_prefix: str, passage_prefix: str
) -> EmbedderCard:
    """Compile the model into `target` and return its card, which is not written here. Raises DocentError.

    This is the only step of ingestion that needs torch and sentence-transformers.
    """
    import openvino

    with _quiet():
        try:
            model = _sentence_transformer(source)
            tokenizer = model.tokenizer.backend_tokenizer
        except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            log.error("embedder.unreadable", name=name, exc_info=True)
            raise DocentError(
                f"Embedding model {name} cannot be loaded ({type(error).__name__}): check its folder or set another."
            ) from error
        tokenizer.save(str(target / "tokenizer.json"))
        try:
            converted = _convert(model)
        except RuntimeError:  # OpenVINO raises it for an operation it does not know
            log.warning("embedder.not_compiled", name=name, exc_info=True)
            converted = None
    if converted is not None:
        try:
            openvino.save_model(converted, target / "model.xml", compress_to_fp16=False)
        except RuntimeError as error:
            log.error("embedder.not_saved", name=name, exc_info=True)
            raise DocentError(
                f"The compiled embedding model cannot be written below {target.parent}: free some space and try again."
            ) from error
    return EmbedderCard(
        name=name, fingerprint=fingerprint, dimension=int(model.get_embedding_dimension()),
        max_tokens=int(model.max_seq_length or 512), query_prefix=query_prefix, passage_prefix=passage_prefix,
        runtime="openvino" if converted is not None else "sentence-transformers", source=str(source),
    )  # fmt: skip


def _sentence_transformer(source: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(source), device="cpu", local_files_only=True)


def _convert(model: Any) -> Any:
    """The whole chain (transformer, pooling, …) as one OpenVINO model. Raises RuntimeError for an unknown operation."""
    import openvino
    import torch

    class Chain(torch.nn.Module):  # type: ignore[misc]
        """The chain with plain tensors in and out, which OpenVINO can trace."""

        def __init__(self) -> None:
            super().__init__()
            self.chain = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.chain({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask")}
    return openvino.convert_model(Chain().eval(), example_input=example)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the progress bars and tracing warnings of these libraries inside: nobody can act on them."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _prompts(source: Path) -> dict[str, str]:
    """The prefixes the model was trained with, by kind of text, from `config_sentence_transformers.json`."""
    path = source / "config_sentence_transformers.json"
    try:
        prompts = json.loads(path.read_text("utf-8")).get("prompts") if path.is_file() else None
    except (ValueError, AttributeError) as error:
        raise DocentError(f"{path} is damaged ({error}): copy or download that model again.") from error
    return prompts or {}


def _fingerprint(source: Path, query_prefix: str, passage_prefix: str) -> str:
    digest = hashlib.sha256(json.dumps([query_prefix, passage_prefix]).encode())
    for path in sorted({path for pattern in _FINGERPRINTED for path in source.glob(pattern)}):
        digest.update(path.relative_to(source).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
