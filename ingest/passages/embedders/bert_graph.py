"""The OpenVINO model of multilingual-e5-small, built from its weights without torch: a BERT encoder in int8.

Inputs `input_ids` and `attention_mask`, int64 of shape (texts, tokens). Outputs: `sentence_embedding`, the mean of the
token vectors that are not padding, at length 1, shape (texts, hidden); and `token_embeddings`, each at length 1, shape
(texts, tokens, hidden).

The architecture is that of Devlin et al., "BERT" (NAACL 2019), with the pooling and prefixes of Wang et al.,
"Multilingual E5 Text Embeddings" (2024).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ingest.base.int8_weights import restored_matrix, round_to_int8
from ingest.passages.embedders.e5_file import E5File

QUERY_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "


def build_model(source: E5File, rounded: bool = True) -> Any:
    """The `openvino.Model` of these weights. Raises ValueError when a tensor is missing or has another shape.

    With `rounded` False, its matrices stay float32 as the file gives them, for measuring what rounding costs.
    """
    import openvino
    from openvino import opset13 as operations

    builder = _Builder(source, rounded)
    ids = operations.parameter([-1, -1], np.int64, name="input_ids")
    mask = operations.parameter([-1, -1], np.int64, name="attention_mask")
    attended = operations.not_equal(mask, _scalar(0))
    hidden = builder.embeddings(ids)
    allowed = operations.unsqueeze(attended, operations.constant(np.array([1, 2])))
    for layer in range(source.sizes.layers):
        hidden = builder.layer(hidden, allowed, f"l{layer}.")
    kept = operations.unsqueeze(operations.convert(attended, np.float32), _scalar(2))
    total = operations.reduce_sum(operations.multiply(hidden, kept), _scalar(1))
    # The length of the sum and that of the mean differ by a factor, which making the vector's length 1 takes away.
    outputs = [_unit_length(total), _unit_length(hidden)]
    model = openvino.Model(outputs, [ids, mask], "multilingual-e5-small")
    for output, name in zip(model.outputs, ("sentence_embedding", "token_embeddings"), strict=True):
        output.get_tensor().set_names({name})
    return model


class _Builder:
    """Makes the parts of the graph from the tensors of the file."""

    def __init__(self, source: E5File, rounded: bool) -> None:
        from openvino import opset13

        self._operations = opset13
        self._source = source
        self._sizes = source.sizes
        self._rounded = rounded

    def embeddings(self, ids: Any) -> Any:
        """Word, position and type embeddings, normalised: shape (texts, tokens, hidden)."""
        operations = self._operations
        sizes, vector = self._sizes, self._source.vector
        words = self._table_rows("emb.word", sizes.vocabulary, sizes.hidden, ids)
        positions = vector("emb.pos", sizes.positions * sizes.hidden).reshape(-1, sizes.hidden)
        types = vector("emb.type", sizes.types * sizes.hidden).reshape(-1, sizes.hidden)
        length = operations.gather(operations.shape_of(ids), _scalar(1), _scalar(0))
        # Every token has the first type, so its vector is added to those of the positions.
        places = operations.slice(
            operations.constant(positions + types[0]), _list(0), operations.unsqueeze(length, _scalar(0)), _list(1)
        )
        return self._normalised(operations.add(words, places), "emb.ln.")

    def layer(self, hidden: Any, allowed: Any, prefix: str) -> Any:
        """Self-attention and feed-forward network, each added to its input and normalised."""
        operations, sizes = self._operations, self._sizes
        query, key, value = (self._heads(self._linear(hidden, prefix + name, sizes.hidden)) for name in "qkv")
        attended = operations.scaled_dot_product_attention(query, key, value, allowed)
        joined = operations.reshape(
            operations.transpose(attended, operations.constant(np.array([0, 2, 1, 3]))),
            operations.constant(np.array([0, 0, sizes.hidden])), special_zero=True,
        )  # fmt: skip
        attended = self._linear(joined, prefix + "ao", sizes.hidden)
        hidden = self._normalised(operations.add(hidden, attended), prefix + "aln.")
        inner = operations.gelu(self._linear(hidden, prefix + "fi", sizes.inner), "erf")
        outer = self._linear(inner, prefix + "fo", sizes.hidden, sizes.inner)
        return self._normalised(operations.add(hidden, outer), prefix + "oln.")

    def _heads(self, vectors: Any) -> Any:
        """(texts, tokens, hidden) → (texts, heads, tokens, hidden / heads)."""
        operations, sizes = self._operations, self._sizes
        shape = operations.constant(np.array([0, 0, sizes.heads, sizes.hidden // sizes.heads]))
        return operations.transpose(
            operations.reshape(vectors, shape, special_zero=True), operations.constant(np.array([0, 2, 1, 3]))
        )

    def _linear(self, vectors: Any, name: str, outputs: int, inputs: int = 0) -> Any:
        operations = self._operations
        weights = self._constant_matrix(f"{name}.w", outputs, inputs or self._sizes.hidden)
        product = operations.matmul(vectors, weights, False, True)
        return operations.add(product, operations.constant(self._source.vector(f"{name}.b", outputs)))

    def _normalised(self, vectors: Any, prefix: str) -> Any:
        operations, hidden = self._operations, self._sizes.hidden
        normalised = operations.mvn(
            vectors, _list(-1), normalize_variance=True, eps=self._sizes.epsilon, eps_mode="inside_sqrt"
        )
        scaled = operations.multiply(normalised, operations.constant(self._source.vector(prefix + "w", hidden)))
        return operations.add(scaled, operations.constant(self._source.vector(prefix + "b", hidden)))

    def _constant_matrix(self, name: str, rows: int, columns: int) -> Any:
        """A matrix in the graph."""
        operations = self._operations
        if not self._rounded:
            return operations.constant(self._source.matrix(name, rows, columns))
        numbers, scales = self._rounded_matrix(name, rows, columns)
        return restored_matrix(operations.constant(numbers), scales, (rows, columns))

    def _table_rows(self, name: str, rows: int, columns: int, ids: Any) -> Any:
        """The rows of a table with these ids. Only these become float32: the whole table of words would be 384 MB."""
        operations = self._operations
        if not self._rounded:
            return operations.gather(operations.constant(self._source.matrix(name, rows, columns)), ids, _scalar(0))
        numbers, scales = self._rounded_matrix(name, rows, columns)
        chosen = operations.convert(operations.gather(operations.constant(numbers), ids, _scalar(0)), np.float32)
        scale = operations.convert(operations.gather(operations.constant(scales), ids, _scalar(0)), np.float32)
        shape = operations.constant(np.array([0, 0, columns]))
        return operations.reshape(operations.multiply(chosen, scale), shape, special_zero=True)

    def _rounded_matrix(self, name: str, rows: int, columns: int) -> tuple[Any, Any]:
        """The matrix as `round_to_int8` gives it, rounded part by part, so that it is never in memory as float32."""
        parts = [round_to_int8(part) for part in self._source.matrix_parts(name, rows, columns)]
        numbers, scales = zip(*parts, strict=True)
        return np.concatenate(numbers), np.concatenate(scales)


def _unit_length(vectors: Any) -> Any:
    from openvino import opset13 as operations

    return operations.normalize_l2(vectors, _list(-1), 1e-12, "max")


def _scalar(number: int) -> Any:
    from openvino import opset13 as operations

    return operations.constant(np.array(number, np.int64))


def _list(number: int) -> Any:
    from openvino import opset13 as operations

    return operations.constant(np.array([number], np.int64))
