"""A compiled sentence-transformers model as a LlamaIndex embedding.

All cores compute one text together, which has the lowest latency. Many texts are put in batches of similar length, and
every core computes its own batches, which has the highest throughput: no core waits for another after each of the
model's hundred steps. This waiting costs most on a machine that other programs use too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from ingest.base.cpu import cpu_features, usable_cores
from ingest.base.int8_weights import openvino_options
from ingest.passages.embedders.tokenizer import Tokenizer

# Tokens of a batch, padding included: of 300, 600, 1,200 and 2,400 the fastest for MiniLM's passages of 155 tokens and
# for sentences of 20, on two cores with avx512_bf16 (179 and 1,413 a second; 178 and 1,395 were the next best).
BATCH_TOKENS = 1_200
# Texts in one call of LlamaIndex, which makes a Python list of every vector.
TEXTS_PER_CALL = 1_024
_LATENCY = {"PERFORMANCE_HINT": "LATENCY"}


class OpenVINOEmbedding(BaseEmbedding):
    """The model's vectors, of length 1 when it ends in a normalisation. Safe to share between threads."""

    _folder: Path = PrivateAttr()
    _model: Any = PrivateAttr()
    _queue: Any = PrivateAttr()
    _lock: threading.Lock = PrivateAttr()
    _tokenizer: Tokenizer = PrivateAttr()
    _max_tokens: int = PrivateAttr()
    _has_token_vectors: bool = PrivateAttr()

    def __init__(self, folder: Path, tokenizer: Tokenizer, max_tokens: int, **kwargs: Any) -> None:
        """Open `folder/model.xml`, which reads at most `max_tokens`. Raises RuntimeError when OpenVINO cannot."""
        super().__init__(embed_batch_size=TEXTS_PER_CALL, **kwargs)
        self._folder = folder
        self._compile(_LATENCY)
        # Asked of the model now: while many texts are embedded it is compiled again by the thread that has the lock.
        self._has_token_vectors = len(self._model.outputs) > 1
        # A compiled model has one inference request: a second thread would get an error or the vectors of the first.
        self._lock = threading.Lock()
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        token_ids = [self._tokenizer.inputs(text, self._max_tokens) for text in texts]
        batches = list(_batches(token_ids))
        with self._lock:
            rows = (
                self._computed_by_all_cores(token_ids)
                if len(batches) < 2
                else self._computed_in_batches(token_ids, batches)
            )
        vectors: list[list[float]] = rows.tolist()
        return vectors

    @property
    def has_token_vectors(self) -> bool:
        """Whether the model also returns a vector for each token."""
        return self._has_token_vectors

    def token_vectors(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """For each text the vectors of its tokens, special tokens included: shape (tokens, dimension), of length 1."""
        token_ids = [self._tokenizer.inputs(text, self._max_tokens) for text in texts]
        vectors: dict[int, npt.NDArray[np.float32]] = {}
        with self._lock:
            if self._model is None:
                self._compile(_LATENCY)
            for batch in _batches(token_ids):
                computed = self._model(_inputs([token_ids[row] for row in batch]))[1]
                vectors |= {row: computed[number, : len(token_ids[row])].copy() for number, row in enumerate(batch)}
        return [vectors[row] for row in range(len(texts))]

    def _computed_by_all_cores(self, token_ids: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        if self._model is None:  # compiling failed the last time
            self._compile(_LATENCY)
        rows: npt.NDArray[np.float32] = self._model(_inputs(token_ids))[0]
        return rows

    def _computed_in_batches(
        self, token_ids: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]
    ) -> npt.NDArray[np.float32]:
        if self._queue is None:  # a process that only embeds questions never needs it
            import openvino

            cores = usable_cores()
            options = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}
            self._compile(options, many_texts=True)
            self._queue = openvino.AsyncInferQueue(self._model, cores)
        results: dict[int, npt.NDArray[np.float32]] = {}
        self._queue.set_callback(
            lambda request, number: results.update({number: request.get_output_tensor(0).data.copy()})
        )
        for number, batch in enumerate(batches):
            self._queue.start_async(_inputs([token_ids[row] for row in batch]), number)
        self._queue.wait_all()
        rows = np.empty((len(token_ids), results[0].shape[1]), np.float32)
        for number, batch in enumerate(batches):
            rows[batch] = results[number]
        return rows

    def _compile(self, options: dict[str, Any], many_texts: bool = False) -> None:
        """Compile the model for one text at a time or for `many_texts`.

        A model with int8 matrices is computed in int8, unless the CPU has matrix instructions for bfloat16 (AMX): then
        questions and passages are both computed in bfloat16. For many texts the matrices become floating point now
        instead of at every step, which is 1.4 times as fast (multilingual-e5-small, 6 texts of 196 tokens or 40 of 25)
        and takes 25 MB more.
        """
        import openvino
        from openvino import passes

        self._queue = self._model = None  # two copies of a large model would not fit into memory
        core = openvino.Core()
        model = core.read_model(self._folder / "model.xml")
        options = {**openvino_options(), **options}
        if _has_int8(model):
            if "amx_bf16" not in cpu_features():
                options["INFERENCE_PRECISION_HINT"] = "f32"  # the precision beside int8: bfloat16 would replace int8
            elif many_texts:
                folding = passes.Manager()
                folding.register_pass(passes.ConstantFolding())
                folding.run_passes(model)
        self._model = core.compile_model(model, "CPU", options)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def _has_int8(model: Any) -> bool:
    return any(
        node.get_type_name() == "Constant" and node.get_output_element_type(0).get_type_name() == "i8"
        for node in model.get_ops()
    )


def _batches(token_ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers of texts of similar length, longest first, so that no core has a long batch left at the end."""
    batch: list[int] = []
    width = 0
    for row in sorted(range(len(token_ids)), key=lambda number: -len(token_ids[number])):
        if batch and width * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        if not batch:
            width = len(token_ids[row])
        batch.append(row)
    if batch:
        yield batch


def _inputs(token_ids: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """The inputs of the model by name, each of shape (texts, tokens of the longest)."""
    shape = len(token_ids), max(map(len, token_ids))
    inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask")}
    for row, ids in enumerate(token_ids):
        inputs["input_ids"][row, : len(ids)] = ids
        inputs["attention_mask"][row, : len(ids)] = 1
    return inputs
