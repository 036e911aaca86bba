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
from dataclasses import asdict
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
    compile_multilingual,
    english_folder,
    multilingual_fingerprint,
)
from ingest.passages.embedders.embedder import CARD_FILE, EmbedderCard

# The files that identify a model: its weights, its vocabulary and the chain of its modules.
_FINGERPRINTED = (
    "*.safetensors", "pytorch_model*.bin", "tokenizer.json", "vocab.txt", "modules.json",
    "*/config.json", "*/*.safetensors", "*/pytorch_model.bin",
)  # fmt: skip
log = get_logger(__name__)


def prepare_embedder(settings: Settings, embedders: Path) -> Path:
    """The folder, below `embedders`, of the embedder that the settings name; prepares it if it does not exist.

    Where nobody has set one and multilingual-e5-small cannot be prepared, this is all-MiniLM-L6-v2. Raises
    SettingsError when the setting names no model, DocentError when the model cannot be downloaded or loaded.
    """
    try:
        return _prepare(settings, embedders)
    except DocentError as error:
        if settings.embedder != MULTILINGUAL or "embedder" in settings.model_fields_set:
            raise
        log.warning("embedder.english_only", reason=str(error))
        return _prepare(settings.model_copy(update={"embedder": ENGLISH}), embedders)


def _prepare(settings: Settings, embedders: Path) -> Path:
    bundled = settings.embedder == MULTILINGUAL
    source = None if bundled else embedder_source(settings)
    prompts = MULTILINGUAL_PROMPTS if source is None else _prompts(source)
    query_prefix = settings.embedder_query_prefix
    passage_prefix = settings.embedder_passage_prefix
    if query_prefix is None:
        query_prefix = prompts.get("query", "")
    if passage_prefix is None:
        passage_prefix = prompts.get("document") or prompts.get("passage", "")
    fingerprint = (
        multilingual_fingerprint(query_prefix, passage_prefix)
        if source is None
        else _fingerprint(source, query_prefix, passage_prefix)
    )
    target = embedders / fingerprint
    if (target / CARD_FILE).is_file():
        return target
    log.info("embedder.preparing", name=settings.embedder, fingerprint=fingerprint)
    with alone_in(embedders):
        if not (target / CARD_FILE).is_file():  # or another process has prepared it meanwhile
            with whole_folder(target) as unfinished:
                card = (
                    compile_multilingual(unfinished, fingerprint, query_prefix, passage_prefix)
                    if source is None
                    else _compile(settings.embedder, source, unfinished, fingerprint, query_prefix, passage_prefix)
                )
                (unfinished / CARD_FILE).write_text(json.dumps(asdict(card), ensure_ascii=False, indent=1), "utf-8")
    return target


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
