"""The worker process: tokens come as they are generated, prompts do not block each other, and its death is noticed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.engines.worker_client import Ticket, WorkerClient
from ingest.base.errors import DocentError

OPTIONS = {"cache_gigabytes": 0.1, "batched_tokens": 64, "at_once": 4, "compute": {"INFERENCE_PRECISION_HINT": "f32"}}


@pytest.fixture(scope="module")
def worker(tiny_openvino: Path) -> Iterator[WorkerClient]:
    started = WorkerClient(tiny_openvino, OPTIONS)
    yield started
    started.close()


def config(most: int = 12, **more: Any) -> dict[str, Any]:
    return {
        "max_new_tokens": most,
        "do_sample": False,
        "stop_token_ids": [1],
        "eos_token_id": 1,
        "ignore_eos": True,
    } | more


def all_tokens(ticket: Ticket) -> tuple[list[int], str]:
    tokens: list[int] = []
    while True:
        taken = ticket.take(30)
        assert taken is not None
        tokens += taken.ids
        if taken.finish_reason:
            return tokens, taken.finish_reason


def test_the_same_prompt_gives_the_same_tokens(worker: WorkerClient) -> None:
    """Greedy output is the same the first time, with a kept prefix, and with other prompts at the same time."""
    prompt = list(range(50, 350))
    alone = all_tokens(worker.submit(prompt, config()))
    assert len(alone[0]) == 12
    assert alone[1] == "length"
    assert all_tokens(worker.submit(prompt, config())) == alone
    crowd = [worker.submit([*prompt[:number], *prompt], config()) for number in (3, 0, 7, 0, 11, 0)]
    answers = [all_tokens(ticket) for ticket in crowd]
    assert [answers[number] for number in (1, 3, 5)] == [alone] * 3


def test_a_long_prompt_does_not_freeze_others(worker: WorkerClient) -> None:
    """One answer continues while the long prompt of another is read."""
    answering = worker.submit(list(range(30, 60)), config(200))
    assert answering.take(30) is not None
    long = worker.submit([number % 500 + 20 for number in range(1500)], config(1))
    meanwhile = 0
    while long.take(0.001) is None:
        taken = answering.take(0.001)
        meanwhile += len(taken.ids) if taken else 0
    assert meanwhile > 5
    worker.cancel(answering)


def test_a_cancelled_prompt_gets_no_more_tokens(worker: WorkerClient) -> None:
    """After a cancel the process is free for others, and the cancelled ticket gets no further tokens."""
    left = worker.submit(list(range(40, 90)), config(400))
    assert left.take(30) is not None
    worker.cancel(left)
    all_tokens(worker.submit(list(range(60, 90)), config(3)))
    while left.take(0.01) is not None:
        continue
    assert left.take(0.05) is None
    worker.cancel(left)


def test_a_stop_token_ends_the_answer(worker: WorkerClient) -> None:
    """The finish reason is 'stop' when the model ended by itself."""
    prompt = list(range(50, 90))
    third = all_tokens(worker.submit(prompt, config()))[0][2]
    tokens, reason = all_tokens(worker.submit(prompt, config(stop_token_ids=[third], ignore_eos=False)))
    assert reason == "stop"
    assert len(tokens) <= 3


def test_when_the_process_dies_every_caller_notices(tiny_openvino: Path) -> None:
    """Running answers end with one line, new ones are refused, and closing still works."""
    worker = WorkerClient(tiny_openvino, OPTIONS)
    os.kill(worker.process_id, signal.SIGSTOP)
    ticket = worker.submit(list(range(40, 90)), config(400))
    assert ticket.take(0.1) is None
    os.kill(worker.process_id, signal.SIGKILL)
    with pytest.raises(DocentError, match="stopped in the middle of an answer"):
        while True:
            ticket.take(10)
    assert not worker.alive
    with pytest.raises(DocentError, match="being restarted"):
        worker.submit([1, 2, 3], config())
    worker.close()


def test_the_process_ends_with_its_server(tiny_openvino: Path) -> None:
    """After closing, the process no longer exists."""
    worker = WorkerClient(tiny_openvino, OPTIONS)
    process = worker.process_id
    worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_model_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    """For a damaged folder the line names it and says what to do."""
    (tmp_path / "config.json").write_text(
        '{"num_attention_heads": 2, "hidden_size": 64, "num_hidden_layers": 1}', "utf-8"
    )
    started = time.monotonic()
    with pytest.raises(DocentError, match=r"cannot be loaded \(.*\): run `docent models pull` again") as raised:
        WorkerClient(tmp_path, OPTIONS)
    assert "\n" not in str(raised.value)
    assert time.monotonic() - started < 100  # it does not wait for the limit when the process has ended
