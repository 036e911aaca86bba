"""A tiny file in the layout of multilingual-e5-small, with random weights: all that the real one has, in kilobytes."""

from __future__ import annotations

import struct

import numpy as np

from ingest.passages.embedders.e5_file import E5Sizes

SIZES = E5Sizes(hidden=32, layers=2, heads=2, inner=64, vocabulary=12, positions=16, types=1, epsilon=1e-12)
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "▁leave", "▁an", "nual", "年", "假", "l")
REPLACED = {"\u200b": "", "～": "~", "ｘ": "x"}
Tensor = tuple[str, int, int, bytes]  # name, kind, number of weights, content


def blocks_of(scales: np.ndarray, halves: np.ndarray) -> bytes:
    """Blocks of 32 weights: `scales` of shape (blocks,), `halves` (0 to 15) of shape (blocks, 32)."""
    packed = (halves[:, :16] | halves[:, 16:] << 4).astype(np.uint8)
    return b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales.astype("<f2"), packed, strict=True))


def tensors() -> list[Tensor]:
    """Every tensor that the encoder of these sizes needs."""
    random = np.random.default_rng(11)
    made: list[Tensor] = []

    def matrix(name: str, rows: int, columns: int) -> None:
        count = rows * columns // 32
        scales = random.uniform(0.01, 0.1, count).astype(np.float16)
        made.append((name, 1, rows * columns, blocks_of(scales, random.integers(0, 16, (count, 32)))))

    def vector(name: str, length: int, around: float = 0.0) -> None:
        numbers = random.normal(around, 0.1, length).astype("<f4")
        made.append((name, 0, length, numbers.tobytes()))

    hidden, inner = SIZES.hidden, SIZES.inner
    matrix("emb.word", SIZES.vocabulary, hidden)
    vector("emb.pos", SIZES.positions * hidden)
    vector("emb.type", SIZES.types * hidden)
    for norm in ("emb.ln", *(f"l{layer}.{name}" for layer in range(SIZES.layers) for name in ("aln", "oln"))):
        vector(f"{norm}.w", hidden, 1.0)
        vector(f"{norm}.b", hidden)
    for layer in range(SIZES.layers):
        for name, rows, columns in (
            ("q", hidden, hidden), ("k", hidden, hidden), ("v", hidden, hidden), ("ao", hidden, hidden),
            ("fi", inner, hidden), ("fo", hidden, inner),
        ):  # fmt: skip
            matrix(f"l{layer}.{name}.w", rows, columns)
            vector(f"l{layer}.{name}.b", rows)
    return made


def e5_bytes(
    made: list[Tensor], sizes: E5Sizes = SIZES, magic: bytes = b"E5S1", version: int = 1, block: int = 32
) -> bytes:
    """The content of the file with these tensors."""
    head = magic + struct.pack(
        "<i7ifi", version, sizes.hidden, sizes.layers, sizes.heads, sizes.inner, sizes.vocabulary, sizes.positions,
        sizes.types, sizes.epsilon, block,
    )  # fmt: skip
    texts = [piece.encode() for piece in PIECES]
    ends = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype("<u4")
    scores = np.linspace(0, -10, len(PIECES)).astype("<f4")
    begin, padding, end, unknown = 0, 1, 2, 3
    head += struct.pack("<5iQ", len(PIECES), begin, end, padding, unknown, int(ends[-1]))
    head += ends.tobytes() + scores.tobytes() + b"".join(texts)
    entries = b"".join(
        struct.pack("<IB", ord(character), len(text)) + struct.pack(f"<{len(text)}I", *map(ord, text))
        for character, text in REPLACED.items()
    )
    head += struct.pack("<iI", len(REPLACED), len(entries)) + entries
    size = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name, *_ in made)
    directory, content = struct.pack("<i", len(made)), b""
    for name, kind, count, data in made:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, size + len(content), len(data))
        content += data
    return head + directory + content
