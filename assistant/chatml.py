"""ChatML, the way Qwen marks who speaks. The one module that knows the markers; it knows no prompt and no model.

Control tokens are put in by id and everything else is encoded with special tokens switched off, so `<|im_start|>` in a
document stays twelve characters. The result equals the tokenizer's own chat template wherever the content holds no
marker; unlike Qwen1.5's template no default system message is added, because ours is always given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ingest.errors import DocentError

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage
    from tokenizers import Tokenizer

START = "<|im_start|>"
END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
ROLES = ("system", "user", "assistant")


def encode(messages: Sequence[ChatMessage], tokenizer: Tokenizer) -> list[int]:
    """Token ids of the conversation, ending where the assistant is to speak.

    Raises ValueError for a role ChatML does not have, DocentError for a tokenizer without the control tokens.
    """
    start, end = _control_id(START, tokenizer), _control_id(END, tokenizer)
    newline = plain_ids("\n", tokenizer)
    ids: list[int] = []
    for message in messages:
        ids += [start, *plain_ids(f"{_role(message)}\n{message.content or ''}", tokenizer), end, *newline]
    return [*ids, start, *plain_ids("assistant\n", tokenizer)]


def render(messages: Sequence[ChatMessage]) -> str:
    """The conversation as people read it in a log. Never encode this: the markers in it are plain characters."""
    turns = "".join(f"{START}{_role(message)}\n{message.content or ''}{END}\n" for message in messages)
    return f"{turns}{START}assistant\n"


def stop_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids after which the model has finished speaking."""
    return frozenset({_control_id(END, tokenizer), _control_id(END_OF_TEXT, tokenizer)})


def plain_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """Token ids of ordinary text: no control token can come out of it, whatever it says."""
    # The switch belongs to the tokenizer object. Only set once: setting it while another thread encodes is an error.
    if not tokenizer.encode_special_tokens:
        tokenizer.encode_special_tokens = True
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    control = {tokenizer.token_to_id(marker) for marker in (START, END, END_OF_TEXT)}
    if control.isdisjoint(ids):
        return ids
    # Some checkpoints list the markers as ordinary added tokens, which the switch leaves on: cut them apart.
    for marker in (START, END, END_OF_TEXT):
        if marker in text:
            before, _, after = text.partition(marker)
            return plain_ids(before + marker[:4], tokenizer) + plain_ids(marker[4:] + after, tokenizer)
    raise DocentError("the tokenizer turns ordinary text into control tokens: use the checkpoint's original tokenizer.")


def count_plain(text: str, tokenizer: Tokenizer) -> int:
    """Number of tokens of ordinary text."""
    return len(plain_ids(text, tokenizer))


def message_tokens(role: str, content: str, count_tokens: Callable[[str], int]) -> int:
    """Tokens that one message takes in `encode`, its two markers and the line break after it included."""
    return 2 + count_tokens(f"{role}\n{content}") + count_tokens("\n")


def opening_tokens(count_tokens: Callable[[str], int]) -> int:
    """Tokens at the end of `encode` that ask the assistant to speak."""
    return 1 + count_tokens("assistant\n")


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
