"""The worker process that runs an OpenVINO model: it reads prompts and writes tokens, one JSON object a line.

It is a process of its own because OpenVINO GenAI holds Python's global interpreter lock during a step: inside the
server every page and health check would wait for the model. Each step computes one token for every running answer and
at most `batched_tokens` tokens of waiting prompts. So a long prompt does not block the other answers, and a cancelled
prompt ends after the current step.

In:  {"add": id, "prompt": [token ids], "config": {…}} · {"cancel": id}; the end of input ends the process.
Out: {"ready": true} once · {"id": id, "tokens": [token ids], "finish": "" | "stop" | "length"}
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.engines.mapped_file import release_mapped

BLOCK_TOKENS = 32
# Bytes per token and head for scale and offset, besides the 8-bit values. Measured: the reported size of the cache
# divided by its blocks (openvino-genai 2026.4.1).
_HEAD_EXTRA_BYTES = 12


def cache_blocks(config: dict[str, Any], gigabytes: float) -> int:
    """How many blocks of 32 tokens fit into `gigabytes`, for a model with this `config.json`; at least 64."""
    heads = int(config["num_attention_heads"])
    head_size = int(config.get("head_dim") or config["hidden_size"] // heads)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    token_bytes = 2 * int(config["num_hidden_layers"]) * kv_heads * (head_size + _HEAD_EXTRA_BYTES)
    return max(64, int(gigabytes * 1e9 / (BLOCK_TOKENS * token_bytes)))


class _Worker:
    def __init__(self, folder: Path, options: dict[str, Any], output: int) -> None:
        import openvino_genai

        self._genai = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        config = json.loads((folder / "config.json").read_text("utf-8"))
        scheduler.num_kv_blocks = cache_blocks(config, options["cache_gigabytes"])
        # Keep the blocks of earlier prompts while there is room: a follow-up question reuses them.
        scheduler.enable_prefix_caching = True
        scheduler.dynamic_split_fuse = True
        scheduler.max_num_batched_tokens = options["batched_tokens"]
        scheduler.max_num_seqs = options["at_once"]
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(
            str(folder),
            scheduler,
            "CPU",
            options["compute"],
        )
        self._weights = folder / "openvino_model.bin"
        self._output = output
        self._running: dict[int, Any] = {}
        self._write({"ready": True})

    def run(self, commands: Iterator[list[dict[str, Any]]]) -> None:
        """Work until the end of input. `commands` only waits while there is nothing to compute."""
        for batch in commands:
            for command in batch:
                if "add" in command:
                    self._running[command["add"]] = self._add(command)
                elif (handle := self._running.pop(command["cancel"], None)) is not None:
                    handle.cancel()
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            for request_id, handle in list(self._running.items()):
                if self._deliver(request_id, handle):
                    del self._running[request_id]
            if not self.busy:
                # The first answer made OpenVINO copy all weights into its own layout. Later answers only look up
                # embeddings in the file; reading them again costs a millisecond per prompt.
                release_mapped(self._weights)

    @property
    def busy(self) -> bool:
        return bool(self._running) or self._pipeline.has_non_finished_requests()

    def _add(self, command: dict[str, Any]) -> Any:
        import numpy as np
        import openvino

        config = self._genai.GenerationConfig(
            **{**command["config"], "stop_token_ids": set(command["config"]["stop_token_ids"])}
        )
        prompt = openvino.Tensor(np.array([command["prompt"]], np.int64))
        return self._pipeline.add_request(command["add"], prompt, config)

    def _deliver(self, request_id: int, handle: Any) -> bool:
        """Write the tokens of a prompt that are new; returns True after the last."""
        tokens: list[int] = []
        reason = self._genai.GenerationFinishReason.NONE
        while handle.can_read():
            for output in handle.read().values():
                tokens += output.generated_ids
                reason = output.finish_reason
        status = handle.get_status()
        finished: bool = status == self._genai.GenerationStatus.FINISHED
        if not finished and status != self._genai.GenerationStatus.RUNNING:
            raise RuntimeError(f"OpenVINO ended a prompt without an answer: {status}")
        if tokens or finished:
            ending = "length" if reason == self._genai.GenerationFinishReason.LENGTH else "stop"
            self._write({"id": request_id, "tokens": tokens, "finish": ending if finished else ""})
        return finished

    def _write(self, message: dict[str, Any]) -> None:
        line = memoryview(json.dumps(message).encode() + b"\n")
        while line:
            line = line[os.write(self._output, line) :]


def _commands(source: int, worker: _Worker) -> Iterator[list[dict[str, Any]]]:
    """Yield the commands that arrived since the last step; wait for one only while there is nothing to compute."""
    buffer = b""
    while True:
        ready, _, _ = select.select([source], [], [], 0.0 if worker.busy else None)
        if ready:
            data = os.read(source, 1 << 20)
            if not data:
                return
            buffer += data
        *lines, buffer = buffer.split(b"\n")
        yield [json.loads(line) for line in lines]


def main() -> None:
    """`python -m assistant.engines.worker FOLDER OPTIONS`: commands on standard input, tokens on standard output."""
    output = os.dup(1)
    os.dup2(2, 1)  # what a library prints goes to standard error, not between the lines of this protocol
    worker = _Worker(Path(sys.argv[1]), json.loads(sys.argv[2]), output)
    try:
        worker.run(_commands(0, worker))
    except BrokenPipeError:
        return  # the server has ended


if __name__ == "__main__":
    main()
