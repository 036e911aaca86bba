"""ChatML, the way Qwen marks who speaks. The one module that knows the markers; it knows no prompt and no model.

Control tokens are put in by id and everything else is encoded as ordinary text, so `<|im_start|>` in a document stays
twelve characters. The result equals the tokenizer's own chat template wherever the content holds no marker; unlike
Qwen1.5's template no default system message is added, because ours is always given. A model that can think first, as
Qwen3 can, is known by its tokenizer, and is asked to answer at once, as its template does with `enable_thinking=False`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ingest.base.errors import DocentError

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage
    from tokenizers import Tokenizer

START = "<|im_start|>"
END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
THINK, END_OF_THOUGHT = "<think>", "</think>"
ROLES = ("system", "user", "assistant")


class Opening(str):
    """The words with which the assistant's turn opens. A counter counts with them what else this model needs there."""

    __slots__ = ()


_OPENING = Opening("assistant\n")


def encode(messages: Sequence[ChatMessage], tokenizer: Tokenizer) -> list[int]:
    """Token ids of the conversation, ending where the assistant is to speak.

    Raises ValueError for a role ChatML does not have, DocentError for a tokenizer without the control tokens.
    """
    start, end = _control_id(START, tokenizer), _control_id(END, tokenizer)
    newline = plain_ids("\n", tokenizer)
    ids: list[int] = []
    for message in messages:
        ids += [start, *plain_ids(f"{_role(message)}\n{message.content or ''}", tokenizer), end, *newline]
    return [*ids, start, *_opening_ids(tokenizer)]


def stop_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids after which the model has finished speaking."""
    return frozenset({_control_id(END, tokenizer), _control_id(END_OF_TEXT, tokenizer)})


def plain_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Token ids of ordinary text: no control token can come out of it, whatever it says."""
    # The switch belongs to the tokenizer object. Only set once: setting it while another thread encodes is an error.
    if not tokenizer.encode_special_tokens:
        tokenizer.encode_special_tokens = True
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    # Some markers are ordinary added tokens, which the switch leaves on: Qwen3's <think>, all of a careless checkpoint.
    markers = {
        number: token.content
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if re.fullmatch("<.+>", token.content)
    }
    if markers.keys().isdisjoint(ids):
        return ids
    # Longest first, so that none is taken for a shorter one within it; each is cut in its middle.
    longest_first = sorted(markers.values(), key=len, reverse=True)
    cuts = [(found.start() + found.end()) // 2 for found in re.finditer("|".join(map(re.escape, longest_first)), text)]
    if not cuts:
        raise DocentError(
            "the tokenizer turns ordinary text into control tokens: use the checkpoint's original tokenizer."
        )
    pieces = (text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))
    return [token for piece in pieces for token in plain_ids(piece, tokenizer)]


def count_plain(text: str, tokenizer: Tokenizer) -> int:
    """Number of tokens of ordinary text."""
    return len(_opening_ids(tokenizer) if isinstance(text, Opening) else plain_ids(text, tokenizer))


def message_tokens(role: str, content: str, count_tokens: Callable[[str], int]) -> int:
    """Tokens that one message takes in `encode`, its two markers and the line break after it included."""
    return 2 + count_tokens(f"{role}\n{content}") + count_tokens("\n")


def opening_tokens(count_tokens: Callable[[str], int]) -> int:
    """Tokens at the end of `encode` that ask the assistant to speak."""
    return 1 + count_tokens(_OPENING)


def _opening_ids(tokenizer: Tokenizer) -> list[int]:
    """What follows the last start marker. A model that can think first finds its thought empty and already ended."""
    ids = plain_ids(_OPENING, tokenizer)
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
