"""The model's process: tokens come as they are made, others are not frozen, and a dead process is noticed by all."""

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
from tests.fakes.model_fixtures import tiny_checkpoint, tiny_openvino  # noqa: F401

OPTIONS = {"cache_gigabytes": 0.1, "batched_tokens": 64, "at_once": 4, "compute": {"INFERENCE_PRECISION_HINT": "f32"}}


@pytest.fixture(scope="module")
def loop(tiny_openvino: Path) -> Iterator[WorkerClient]:  # noqa: F811
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


def everything(ticket: Ticket) -> tuple[list[int], str]:
    tokens: list[int] = []
    while True:
        taken = ticket.take(30)
        assert taken is not None
        tokens += taken.ids
        if taken.finish_reason:
            return tokens, taken.finish_reason


def test_the_same_prompt_gives_the_same_tokens(loop: WorkerClient) -> None:
    """Greedy output is the same cold, from the cache of the first time, and in company."""
    prompt = list(range(50, 350))
    alone = everything(loop.submit(prompt, config()))
    assert len(alone[0]) == 12
    assert alone[1] == "length"
    assert everything(loop.submit(prompt, config())) == alone
    crowd = [loop.submit([*prompt[:number], *prompt], config()) for number in (3, 0, 7, 0, 11, 0)]
    answers = [everything(ticket) for ticket in crowd]
    assert [answers[place] for place in (1, 3, 5)] == [alone] * 3


def test_a_long_prompt_does_not_freeze_others(loop: WorkerClient) -> None:
    """Somebody's answer goes on while another's long prompt is read."""
    talking = loop.submit(list(range(30, 60)), config(200))
    assert talking.take(30) is not None
    long = loop.submit([number % 500 + 20 for number in range(1500)], config(1))
    meanwhile = 0
    while long.take(0.001) is None:
        taken = talking.take(0.001)
        meanwhile += len(taken.ids) if taken else 0
    assert meanwhile > 5
    loop.cancel(talking)


def test_a_cancelled_prompt_says_nothing_more(loop: WorkerClient) -> None:
    """After a cancel the process is free for others, and the one who left gets no further tokens."""
    left = loop.submit(list(range(40, 90)), config(400))
    assert left.take(30) is not None
    loop.cancel(left)
    everything(loop.submit(list(range(60, 90)), config(3)))
    while left.take(0.01) is not None:
        continue
    assert left.take(0.05) is None
    loop.cancel(left)


def test_a_stop_token_ends_the_answer(loop: WorkerClient) -> None:
    """The reason is 'stop' when the model ended by itself."""
    prompt = list(range(50, 90))
    third = everything(loop.submit(prompt, config()))[0][2]
    tokens, reason = everything(loop.submit(prompt, config(stop_token_ids=[third], ignore_eos=False)))
    assert reason == "stop"
    assert len(tokens) <= 3


def test_a_process_that_dies_is_noticed_by_everybody(tiny_openvino: Path) -> None:  # noqa: F811
    """Answers under way end with one line, new ones are refused, and closing still works."""
    loop = WorkerClient(tiny_openvino, OPTIONS)
    os.kill(loop.process_id, signal.SIGSTOP)
    ticket = loop.submit(list(range(40, 90)), config(400))
    assert ticket.take(0.1) is None
    os.kill(loop.process_id, signal.SIGKILL)
    with pytest.raises(DocentError, match="stopped in the middle of an answer"):
        while True:
            ticket.take(10)
    assert not loop.alive
    with pytest.raises(DocentError, match="being restarted"):
        loop.submit([1, 2, 3], config())
    loop.close()


def test_the_process_ends_with_its_server(tiny_openvino: Path) -> None:  # noqa: F811
    """Closing leaves no process behind."""
    loop = WorkerClient(tiny_openvino, OPTIONS)
    process = loop.process_id
    loop.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_model_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    """A damaged folder names itself and what to do."""
    (tmp_path / "config.json").write_text(
        '{"num_attention_heads": 2, "hidden_size": 64, "num_hidden_layers": 1}', "utf-8"
    )
    started = time.monotonic()
    with pytest.raises(DocentError, match=r"cannot be loaded \(.*\): run `docent models pull` again") as raised:
        WorkerClient(tmp_path, OPTIONS)
    assert "\n" not in str(raised.value)
    assert time.monotonic() - started < 100  # it does not wait for the limit when the process has ended
