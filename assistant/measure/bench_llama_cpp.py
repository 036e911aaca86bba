"""Measures the same weights on llama.cpp; needs the package `llama-cpp-python`, which no other module uses.

It runs in a process of its own, so that its memory can be measured.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.measure.bench_engine import FOLLOW_UP_TOKENS
from assistant.models.gguf_export import write_gguf
from ingest.base.cpu import usable_cores
from ingest.base.files import whole_file
from ingest.base.memory import resident_memory

# Prompt tokens per step: the default of llama.cpp.
_BATCH = 512


def bench_llama_cpp(
    checkpoint: Path, folder: Path, quantization: str, prompt_tokens: int, new_tokens: int, repeats: int
) -> dict[str, Any]:
    """Like `bench_engine`, for a GGUF file of the checkpoint in Q8_0 or Q4_0, which is written if it is missing."""
    from llama_cpp import Llama

    path = folder / f"{checkpoint.name}-{quantization}.gguf"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            write_gguf(checkpoint, unfinished, quantization=quantization)
    cores = usable_cores()
    started = time.perf_counter()
    model = Llama(
        str(path), n_ctx=prompt_tokens + 2 * new_tokens + FOLLOW_UP_TOKENS + 64, n_threads=cores, n_threads_batch=cores,
        n_batch=_BATCH, verbose=False,
    )  # fmt: skip
    load_seconds = time.perf_counter() - started
    letters = random.Random(0)
    figures: dict[str, list[float]] = {
        name: [] for name in ("ttft_s", "decode_tok_s", "same_again_ttft_s", "followup_ttft_s")
    }
    for _ in range(repeats):
        prompt = [letters.randrange(256) for _ in range(prompt_tokens)]
        first, rate, answer = _answer(model, prompt, new_tokens)
        again, _, _ = _answer(model, prompt, new_tokens)
        question = [letters.randrange(256) for _ in range(FOLLOW_UP_TOKENS)]
        follow_up, _, _ = _answer(model, [*prompt, *answer, *question], new_tokens)
        for name, value in zip(figures, (first, rate, again, follow_up), strict=True):
            figures[name].append(value)
    medians = {name: round(statistics.median(values), 4) for name, values in figures.items()}
    return {
        "engine": f"llama.cpp {quantization}", "prompt_tokens": prompt_tokens, "new_tokens": new_tokens, **medians,
        "rss_gb": round(resident_memory(["self"]) / 1e9, 3), "load_s": round(load_seconds, 3),
    }  # fmt: skip


def _answer(model: Any, prompt: Sequence[int], new_tokens: int) -> tuple[float, float, list[int]]:
    """(seconds to the first token, tokens per second after it, tokens). The model keeps the prompt in its cache."""
    started = time.perf_counter()
    tokens: list[int] = []
    first = 0.0
    for token in model.generate(list(prompt), temp=0.0, repeat_penalty=1.0):
        tokens.append(int(token))
        if len(tokens) == 1:
            first = time.perf_counter() - started
        if len(tokens) == new_tokens:
            break
    return first, (new_tokens - 1) / (time.perf_counter() - started - first), tokens


def main() -> None:
    """Print figures as JSON: `python -m … CHECKPOINT FOLDER QUANTIZATION PROMPT NEW REPEATS`."""
    checkpoint, folder, quantization, *numbers = sys.argv[1:]
    prompt_tokens, new_tokens, repeats = map(int, numbers)
    print(json.dumps(bench_llama_cpp(Path(checkpoint), Path(folder), quantization, prompt_tokens, new_tokens, repeats)))


if __name__ == "__main__":
    main()
