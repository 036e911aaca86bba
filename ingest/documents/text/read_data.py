"""JSON and JSON Lines as readable Markdown: sections, `key: value` lines, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.structure.markdown import heading, join, markdown_table, paragraph
from ingest.documents.text.read_text import decode

# A list of objects with more keys than this, or with longer values, becomes a section per object instead of a table.
_MOST_COLUMNS = 20
_LONGEST_CELL = 300
# Headings have six levels; a deeper value is one line of JSON.
_MAX_LEVEL = 6
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENT = re.compile(r"\s*(?://|/\*|#)")
_LOOSE_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/|(?<![^\s,{{}}\[\]])#[^\n]*", re.DOTALL)
_LOOSE_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")
# Keys whose value is the name of an object, best first.
_NAME_KEYS = ("title", "name", "subject", "heading", "label", "id", "_id")


def read_json(data: bytes) -> list[Page]:
    """One page without a label; several values after each other become one list.

    Raises ReadError, which names the first line that is not JSON.
    """
    text = decode(data)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and not _COMMENT.match(text, error.pos):
            return read_jsonl(data)
        try:
            value = json.loads(_strict(text))
        except json.JSONDecodeError as strict_error:
            raise _not_json(strict_error.lineno, strict_error.msg) from error
    return [Page("", join(_markdown_of(value, 1)))]


def _strict(text: str) -> str:
    """The text without comments and without commas before a closing bracket, which people write in settings files.

    Strings and the numbers of the lines do not change.
    """

    def without_comment(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == '"' else "\n" * match[0].count("\n") or " "

    return _LOOSE_COMMA.sub(lambda match: match[1] or "", _LOOSE_COMMENT.sub(without_comment, text))


def read_jsonl(data: bytes) -> list[Page]:
    """One page without a label, with all lines as one list. Raises ReadError, which names the line that is not JSON."""
    values = []
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise _not_json(number, error.msg) from error
    return [Page("", join(_markdown_of(values, 1)))]


def _not_json(line: int, reason: str) -> ReadError:
    return ReadError(f"the file is not JSON from line {line} on ({reason}): correct it there, or save it as .txt")


def _markdown_of(value: Any, level: int) -> Iterator[str]:
    """The Markdown blocks of a value; `level` is that of its headings."""
    if not isinstance(value, dict | list):
        yield paragraph(_plain(value))
    elif level > _MAX_LEVEL:
        yield json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        # Plain values come first: after a heading they would belong to it.
        lines = [f"{key}: {_plain(inner)}" for key, inner in value.items() if not isinstance(inner, dict | list)]
        yield paragraph("\n".join(lines))
        for key, inner in value.items():
            if isinstance(inner, list) and inner and not any(isinstance(item, dict | list) for item in inner):
                yield from _list(key, inner)
            elif isinstance(inner, dict | list) and inner:
                yield heading(level, str(key))
                yield from _markdown_of(inner, level + 1)
    elif value and all(isinstance(item, dict) for item in value) and _fits_table(value):
        keys = list(dict.fromkeys(key for item in value for key in item))
        yield markdown_table([keys, *[[_plain(item.get(key)) for key in keys] for item in value]])
    else:
        for number, item in enumerate(value, start=1):
            if isinstance(item, dict):
                yield heading(level, _name(item) or str(number))
                yield from _markdown_of(item, level + 1)
            elif isinstance(item, list) and any(isinstance(inner, dict | list) for inner in item):
                yield heading(level, str(number))
                yield from _markdown_of(item, level + 1)
            else:
                yield f"- {_plain(item) if not isinstance(item, list) else ', '.join(map(_plain, item))}"


def _list(key: str, items: list[Any]) -> Iterator[str]:
    texts = [_plain(item) for item in items]
    if sum(map(len, texts)) <= _LONGEST_CELL:
        yield paragraph(f"{key}: {', '.join(texts)}")
    else:
        yield paragraph(f"{key}:")
        yield from (f"- {text}" for text in texts)


def _fits_table(items: list[dict[str, Any]]) -> bool:
    keys = {key for item in items for key in item}
    return 0 < len(keys) <= _MOST_COLUMNS and not any(
        isinstance(value, dict | list) or len(_plain(value)) > _LONGEST_CELL
        for item in items
        for value in item.values()
    )


def _name(item: dict[str, Any]) -> str:
    names = (_plain(item[key]) for key in _NAME_KEYS if isinstance(item.get(key), str | int))
    return next((name for name in names if 0 < len(name) <= 120), "")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
