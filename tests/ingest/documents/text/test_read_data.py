"""JSON becomes readable Markdown."""

from __future__ import annotations

import pytest

from ingest.base.errors import ReadError
from ingest.documents.text.read_data import read_json, read_jsonl


def text(data: str) -> str:
    (page,) = read_json(data.encode())
    return page.text


def test_sections() -> None:
    """Plain values are `key: value` lines, objects are sections, short lists one line."""
    assert text('{"name": "AQ-400", "site": {"city": "苏州", "open": true}, "codes": [3, 7], "note": null}') == (
        "name: AQ-400\nnote: \n\n# site\n\ncity: 苏州\nopen: true\n\ncodes: 3, 7".replace("note: \n", "note:\n")
    )


def test_tables() -> None:
    """A list of flat objects is a table with a column for every key."""
    assert text('[{"a": 1, "b": "x|y"}, {"a": 2.50, "c": true}]') == (
        "| a | b | c |\n| --- | --- | --- |\n| 1 | x\\|y |  |\n| 2.5 |  | true |"
    )


def test_nested_list() -> None:
    """Objects with nested values become a section each, under their name."""
    assert text('[{"title": "Leave", "days": {"full": 25}}, {"steps": ["ask", {"to": "HR"}]}]') == (
        "# Leave\n\ntitle: Leave\n\n## days\n\nfull: 25\n\n# 2\n\n## steps\n\n- ask\n\n### 2\n\nto: HR"
    )


def test_lines() -> None:
    """JSON Lines are one list; so is a .json file with several values."""
    data = b'{"a": 1}\n\n{"a": 2}\n'
    assert read_jsonl(data)[0].text == read_json(data)[0].text == "| a |\n| --- |\n| 1 |\n| 2 |"


def test_scalars_and_text() -> None:
    """A single value is its text; text of several lines keeps its lines and makes no headings."""
    assert text('"hello"') == "hello"
    assert text('{"a": "one\\n# two"}') == "a: one\n\\# two"


def test_comments_and_commas() -> None:
    """Comments and extra commas are accepted; what looks like them inside a string is text."""
    settings = (
        '// settings\n{\n  # site\n  "url": "https://x.example/#a", /* two\n lines */ "say": "a, ]  // b \\" /* c",\n'
        '  "codes": [1, 2, ],\n}\n// end\n'
    )
    assert text(settings) == 'url: https://x.example/#a\nsay: a, ]  // b " /* c\n\ncodes: 1, 2'
    with pytest.raises(ReadError, match="not JSON from line 3 on"):
        text('{\n"a": 1, // one\n"b" 2}')


@pytest.mark.parametrize(("data", "line"), [("{", 1), ('{"a": 1,\n"b" 2}', 2), ('{"a": 1}\n{"a"', 2)])
def test_no_json(data: str, line: int) -> None:
    """The error for text that is not JSON names the line."""
    with pytest.raises(ReadError, match=f"not JSON from line {line} on"):
        read_json(data.encode())


def test_deep() -> None:
    """A value deeper than six levels of headings is one line of JSON."""
    assert text('{"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}').endswith('###### f\n\n{"g": 1}')
