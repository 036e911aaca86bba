"""A cache of generated answers, in memory and bounded.

The key is made of everything the model would read and of how its tokens are sampled. A changed document, prompt, model
or setting therefore has another key, and its answer is generated again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage

# An answer has a few kilobytes, so the cache takes about a megabyte of memory.
MOST_ANSWERS = 256


@dataclass(frozen=True)
class CachedAnswer:
    """What the model wrote, and its finish reason."""

    text: str
    finish_reason: str


class AnswerCache:
    """The most recently used answers. Safe to use from several threads."""

    def __init__(self, most: int = MOST_ANSWERS) -> None:
        self._most = most
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> CachedAnswer | None:
        """The answer of this key, which now counts as the most recently used; None when the cache does not have it."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: str, answer: CachedAnswer) -> None:
        """Keep a complete answer; the least recently used one is dropped when the cache is full."""
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)


def answer_key(messages: Sequence[ChatMessage], model: str, sampling: str) -> str:
    """A hash of the prompt, the `model` with its version, and `sampling`, which says how tokens are picked."""
    turns = [[str(message.role), message.content] for message in messages]
    return hashlib.sha256(json.dumps([turns, model, sampling], ensure_ascii=False).encode()).hexdigest()
