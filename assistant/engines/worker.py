"""The process that owns an OpenVINO model: reads prompts, writes tokens, one JSON object a line. Knows token ids only.

A process of its own, because the library holds Python's global lock during a step: inside the server every page and
health check would wait for the model. Each step computes one token for every answer under way and at most
`batched_tokens` of waiting prompts, so a long prompt cannot freeze the others, and what is cancelled is gone after
the step that is running.

In:  {"add": id, "prompt": [token ids], "config": {…}} · {"cancel": id}; the end of input ends the process.
Out: {"ready": true, "cache_bytes": n} once · {"id": id, "tokens": [token ids], "finish": "" | "stop" | "length"}
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
# Bytes a token takes for each key and value head besides its values in 8 bits: scale and offset, measured by dividing
# the cache's reported size by its blocks (openvino-genai 2026.4.1).
_HEAD_EXTRA_BYTES = 12


def cache_blocks(config: dict[str, Any], gigabytes: float) -> int:
    """How many blocks of 32 tokens fit into so much memory, for a model with this `config.json`; at least 64."""
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
        # Blocks of earlier prompts are kept while there is room: they are what makes a follow-up cheap.
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
        self._say({"ready": True})

    def run(self, commands: Iterator[list[dict[str, Any]]]) -> None:
        """Until the end of input. `commands` waits only when told that there is nothing to do."""
        for batch in commands:
            for command in batch:
                if "add" in command:
                    self._running[command["add"]] = self._add(command)
                elif (handle := self._running.pop(command["cancel"], None)) is not None:
                    handle.cancel()
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            for number, handle in list(self._running.items()):
                if self._deliver(number, handle):
                    del self._running[number]
            if not self.busy:
                # The first answer made OpenVINO rearrange all weights; later ones only look words up in the file,
                # which costs a millisecond a prompt to read again.
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

    def _deliver(self, number: int, handle: Any) -> bool:
        """Say what has come; True when that was all of it."""
        tokens: list[int] = []
        reason = self._genai.GenerationFinishReason.NONE
        while handle.can_read():
            for output in handle.read().values():
                tokens += output.generated_ids
                reason = output.finish_reason
        status = handle.get_status()
        finished: bool = status == self._genai.GenerationStatus.FINISHED
        if not finished and status != self._genai.GenerationStatus.RUNNING:
            raise RuntimeError(f"OpenVINO gave up on a prompt: {status}")
        if tokens or finished:
            ending = "length" if reason == self._genai.GenerationFinishReason.LENGTH else "stop"
            self._say({"id": number, "tokens": tokens, "finish": ending if finished else ""})
        return finished

    def _say(self, message: dict[str, Any]) -> None:
        line = memoryview(json.dumps(message).encode() + b"\n")
        while line:
            line = line[os.write(self._output, line) :]


def _commands(source: int, worker: _Worker) -> Iterator[list[dict[str, Any]]]:
    """What has been asked since the last step; waits for more only when there is nothing to compute."""
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
    """`python -m assistant.engines.worker FOLDER OPTIONS`, both ends of the conversation on standard streams."""
    output = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not stand between our lines
    worker = _Worker(Path(sys.argv[1]), json.loads(sys.argv[2]), output)
    try:
        worker.run(_commands(0, worker))
    except BrokenPipeError:
        return  # the server has gone


if __name__ == "__main__":
    main()
