"""ChatML, the format in which Qwen reads a conversation. No other module has its markers.

Control tokens are inserted by id and everything else is encoded as ordinary text, so `<|im_start|>` in a document stays
twelve characters. The result equals the tokenizer's own chat template wherever the content has no marker; Qwen1.5's
default system message is not added, because a prompt always has its own. A model that can think first (Qwen3) is
recognised by its tokenizer and asked to answer at once, as its template does with `enable_thinking=False`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ingest.base.errors import DocentError

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage
    from tokenizers import Tokenizer

START = "<|im_start|>"
END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
THINK, END_OF_THOUGHT = "<think>", "</think>"
ROLES = ("system", "user", "assistant")


class TokenCounter(Protocol):
    """Counts the tokens of a prompt: an `Engine`, or an estimate where there is no model."""

    @property
    def opening_tokens(self) -> int:
        """How many tokens after the last message begin the assistant's turn."""

    def count_tokens(self, text: str) -> int:
        """How many tokens an ordinary text has."""


def encode(messages: Sequence[ChatMessage], tokenizer: Tokenizer) -> list[int]:
    """Token ids of the conversation, ending with the tokens that begin the assistant's turn.

    Raises ValueError for a role ChatML does not have, DocentError for a tokenizer without the control tokens.
    """
    start, end = _control_id(START, tokenizer), _control_id(END, tokenizer)
    newline = plain_ids("\n", tokenizer)
    ids: list[int] = []
    for message in messages:
        ids += [start, *plain_ids(f"{_role(message)}\n{message.content or ''}", tokenizer), end, *newline]
    return [*ids, start, *_opening_ids(tokenizer)]


def stop_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids that end the model's answer."""
    return frozenset({_control_id(END, tokenizer), _control_id(END_OF_TEXT, tokenizer)})


def plain_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Token ids of ordinary text, never a control token, whatever the text contains.

    Raises DocentError for a tokenizer that makes control tokens of any text.
    """
    # This setting belongs to the tokenizer object. It is set once only: setting it while another thread encodes is an
    # error.
    if not tokenizer.encode_special_tokens:
        tokenizer.encode_special_tokens = True
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    # The setting does not cover added tokens that are not marked as special: Qwen3's <think>, or all control tokens of
    # some checkpoints.
    markers = {
        number: token.content
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if re.fullmatch("<.+>", token.content)
    }
    if markers.keys().isdisjoint(ids):
        return ids
    # Longest first, so that a marker is not taken for a shorter one inside it; the text is cut in the middle of each.
    longest_first = sorted(markers.values(), key=len, reverse=True)
    cuts = [(match.start() + match.end()) // 2 for match in re.finditer("|".join(map(re.escape, longest_first)), text)]
    if not cuts:
        raise DocentError(
            "the tokenizer turns ordinary text into control tokens: use the checkpoint's original tokenizer."
        )
    pieces = (text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))
    return [token for piece in pieces for token in plain_ids(piece, tokenizer)]


def count_plain(text: str, tokenizer: Tokenizer) -> int:
    """Number of tokens of ordinary text."""
    return len(plain_ids(text, tokenizer))


def message_tokens(role: str, content: str, counter: TokenCounter) -> int:
    """How many tokens `encode` makes of one message, with its two markers and the line break after it."""
    return 2 + counter.count_tokens(f"{role}\n{content}") + counter.count_tokens("\n")


def opening_tokens(tokenizer: Tokenizer) -> int:
    """How many tokens at the end of `encode` begin the assistant's turn, the start marker included."""
    return 1 + len(_opening_ids(tokenizer))


def _opening_ids(tokenizer: Tokenizer) -> list[int]:
    """The ids after the last start marker; for a model that can think, they contain an empty thought."""
    ids = plain_ids("assistant\n", tokenizer)
    think, end = tokenizer.token_to_id(THINK), tokenizer.token_to_id(END_OF_THOUGHT)
    if think is not None and end is not None:
        blank = plain_ids("\n\n", tokenizer)
        ids += [think, *blank, end, *blank]
    return ids


def _role(message: ChatMessage) -> str:
    role = str(message.role.value)
    if role not in ROLES:
        raise ValueError(f"ChatML has no role {role!r}: allowed are {', '.join(ROLES)}")
    return role


def _control_id(marker: str, tokenizer: Tokenizer) -> int:
    token_id = tokenizer.token_to_id(marker)
    if token_id is None:
        raise DocentError(
            f"the model's tokenizer has no {marker} token, so it is no Qwen chat model: set `model` to one."
        )
    return int(token_id)
