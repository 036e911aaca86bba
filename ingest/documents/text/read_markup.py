"""Read Markdown, and translate reStructuredText and Org into Markdown.

Only what passages need is translated: headings, because they become the heading path; tables, because passages repeat
their header; and marks that make the text hard to read. Markdown loses only comments, picture addresses and front
matter.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from ingest.documents.structure.markdown import flat, heading, markdown_table

_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# A line of one repeated mark under a heading, or under and over it (in docutils any ASCII punctuation).
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*\s*")
_DIRECTIVE = re.compile(r"(\s*)\.\. (?:\|[^|]*\| )?([\w:+.-]+?)::\s*(.*)")
# The definition of a substitution, and its uses `|name|` and `|name|_`.
_SUBSTITUTION = re.compile(
    r"^ *\.\. \|(?P<name>[^|\n]+)\| (?P<kind>replace|image)::(?P<text>.*(?:\n(?: *\n)* +\S.*)*)\n?", re.MULTILINE
)
_SUBSTITUTED = re.compile(r"(?<![\w|`\\])\|(?![\s|])([^|\n]*[^|\s\n])\|_{0,2}(?![\w|`])")
_LONGEST_SUBSTITUTE = 2_000
# Directives whose text is not part of the document.
_NO_TEXT = frozenset(
    """image include toctree contents raw index meta highlight default-role role target-notes sectnum header
    footer literalinclude automodule autoclass autofunction automethod currentmodule module math""".split()
)
_UNNAMED = frozenset("container class only glossary rubric topic table figure".split())
_CODE = frozenset({"code", "code-block", "sourcecode", "parsed-literal", "prompt", "console"})
_RST_GRID_RULE = re.compile(r"\s*\+[-=+]+\+\s*")
_RST_SIMPLE_RULE = re.compile(r"\s*=+(?: +=+)+\s*")
_ORG_BLOCK = re.compile(r"\s*#\+(begin|end)_(\w+)\b.*", re.IGNORECASE)
_ORG_PLAN = re.compile(r"\s*(?:SCHEDULED|DEADLINE|CLOSED|CLOCK):")


def from_markdown(text: str) -> tuple[str, str]:
    """(title or '', the text) without comments, addresses of pictures and front matter."""
    # Front matter holds settings of a site generator; only its title is used. Text between two horizontal rules is not
    # front matter: its first line has no key.
    match = re.match(r"---\s*\n((?:#[^\n]*\n|\s*\n)*[\w.-]+[ \t]*:.*?)\n---\s*\n", text, re.DOTALL)
    title = re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", match.group(1), re.MULTILINE) if match else None
    body = text[match.end() :] if match else text
    return title.group(1) if title else "", _IMAGE.sub(r"\1", _COMMENT.sub("", body))


def from_rst(text: str) -> str:
    """The text as Markdown. The level of a heading is the order in which its mark first appears."""
    lines = _substituted(text.replace("\r\n", "\n").expandtabs(4)).split("\n")
    styles: list[str] = []
    result: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        rst_heading = _rst_heading(lines, position)
        if rst_heading:
            style, title, line_count = rst_heading
            if style not in styles:
                styles.append(style)
            result += ["", heading(styles.index(style) + 1, _rst_inline(title)), ""]
            position += line_count
        elif _RST_GRID_RULE.fullmatch(line):
            rows, position = _grid_table(lines, position)
            result += ["", rows, ""]
        elif _RST_SIMPLE_RULE.fullmatch(line):
            rows, position = _simple_table(lines, position)
            result += ["", rows, ""]
        elif match := _DIRECTIVE.match(line):
            block, position = _directive(lines, position, match)
            result += block
        elif re.match(r"\s*\.\.(?:\s|$)", line):  # a comment, a target or a footnote
            note = re.match(r"\s*\.\. (\[[^\]]+\]) (.*)", line)
            position += 1
            if line.strip() == ".." and not "".join(lines[position : position + 1]).strip():
                continue  # an empty comment ends the block above it and has no text of its own
            if note:
                result.append(f"{note[1]} {_rst_inline(note[2])}")
            else:
                position = _end_of_block(lines, position, _indent(line))
        else:
            result.append(_rst_inline(line))
            position += 1
    return "\n".join(result)


def _substituted(text: str) -> str:
    """The text with its substitutions `|name|` replaced; a picture is replaced by its description."""
    defined: dict[str, str] = {}
    for match in _SUBSTITUTION.finditer(text):
        replacement = (
            match["text"] if match["kind"] == "replace" else "".join(re.findall(r"^\s+:alt:(.*)", match["text"], re.M))
        )
        defined[flat(match["name"]).casefold()] = flat(replacement)

    def replaced(match: re.Match[str]) -> str:
        return defined.get(flat(match[1]).casefold(), match[0])

    # A substitution may use others; two that use each other end after three rounds.
    for _ in range(3 if defined else 0):
        defined = {name: _SUBSTITUTED.sub(replaced, text_of)[:_LONGEST_SUBSTITUTE] for name, text_of in defined.items()}
    return _SUBSTITUTED.sub(replaced, _SUBSTITUTION.sub("", text)) if defined else text


def _rst_heading(lines: list[str], position: int) -> tuple[str, str, int] | None:
    """(mark, title, number of lines) of a heading, which is underlined or also overlined; None for other lines."""

    def at(offset: int) -> str:
        return lines[position + offset].rstrip() if position + offset < len(lines) else ""

    first, second, third = at(0), at(1), at(2)
    if _ADORNMENT.fullmatch(first) and second.strip() and first == third and len(first) >= max(3, _width(second)):
        return first[0] * 2, second.strip(), 3
    underlined = _ADORNMENT.fullmatch(second) and first.strip() and not first[:1].isspace()
    if underlined and not _ADORNMENT.fullmatch(first) and len(second) >= max(3, _width(first) - 1):
        return second[0], first.strip(), 2
    return None


def _width(text: str) -> int:
    """The least length of an underline. Chinese characters take two columns, but some authors count them as one."""
    return len(text.strip())


def _directive(lines: list[str], position: int, match: re.Match[str]) -> tuple[list[str], int]:
    """(its Markdown lines, the position after it)."""
    indent, name, argument = len(match[1]), match[2].lower(), match[3]
    end = _end_of_block(lines, position + 1, indent)
    body = lines[position + 1 : end]
    if name in {"list-table", "csv-table"}:
        rows = _list_rows(body) if name == "list-table" else _csv_rows(body)
        return ["", _rst_inline(argument), "", markdown_table(rows) if rows else "", ""], end
    while body and (re.match(r"\s+:[\w-]+:", body[0]) or not body[0].strip()):
        body.pop(0)
    if name in _NO_TEXT:
        return [], end
    if name in _CODE:
        return ["```", *_dedented(body), "```"], end
    if name == "figure":  # the name of its file is not text, its caption is
        argument = ""
    label = "" if name in _UNNAMED else f"{name.capitalize()}: "
    first = [f"{label}{_rst_inline(argument)}"] if label or argument else []
    return ["", *first, from_rst("\n".join(_dedented(body))), ""], end


def _list_rows(body: list[str]) -> list[list[str]]:
    """The rows of a table that is written as nested lists: '* -' begins a row, '-' a cell."""
    rows: list[list[str]] = []
    for line in body:
        item = re.match(r"\s*(\* )?\s*- ?(.*)", line)
        if item and item[1]:
            rows.append([_rst_inline(item[2])])
        elif item and rows:
            rows[-1].append(_rst_inline(item[2]))
        elif rows and line.strip():
            rows[-1][-1] = flat(f"{rows[-1][-1]} {_rst_inline(line)}")
    return rows


def _csv_rows(body: list[str]) -> list[list[str]]:
    header = [match[1] for line in body if (match := re.match(r"\s*:header:\s*(.*)", line))]
    values = [line.strip() for line in body if line.strip() and not re.match(r"\s+:[\w-]+:", line)]
    return [[_rst_inline(cell) for cell in row] for row in csv.reader(header + values, skipinitialspace=True)]


def _end_of_block(lines: list[str], position: int, indent: int) -> int:
    while position < len(lines) and (not lines[position].strip() or _indent(lines[position]) > indent):
        position += 1
    return position


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedented(lines: list[str]) -> list[str]:
    indent = min((_indent(line) for line in lines if line.strip()), default=0)
    return [line[indent:].rstrip() for line in lines]


def _rst_inline(text: str) -> str:
    text = re.sub(r"``(.+?)``", r"`\1`", text)
    text = re.sub(r":[\w:+.-]+:`~?([^`<]+?)(?:\s*<[^`>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<([^`>]+)>`__?", r"[\1](\2)", text)
    text = re.sub(r"`([^`]+)`__?", r"\1", text)
    text = re.sub(r"(\[#?[\w*-]+\])_(?!\w)", r"\1", text)
    if "`" not in text:  # text in backquotes is literal
        text = re.sub(r"\\([^\w\s])", r"\1", text)
    return "" if text.strip() == "::" else re.sub(r"::\s*$", ":", text)


def _grid_table(lines: list[str], position: int) -> tuple[str, int]:
    rows: list[list[str]] = []
    cells: list[str] = []
    while position < len(lines) and re.match(r"\s*[+|]", lines[position]):
        line = lines[position].strip()
        if line.startswith("+"):
            rows += [[flat(_rst_inline(cell)) for cell in cells]] if cells else []
            cells = []
        else:
            parts = re.split(r"(?<!\\)\|", line.removeprefix("|").removesuffix("|"))
            cells = [f"{a} {b}" for a, b in zip(cells or [""] * len(parts), parts, strict=False)]
        position += 1
    return (markdown_table(rows) if rows else ""), position


def _simple_table(lines: list[str], position: int) -> tuple[str, int]:
    columns = [match.span() for match in re.finditer("=+", lines[position])]
    rows: list[list[str]] = []
    rules = 1
    position += 1
    while position < len(lines) and rules < 3:
        line = lines[position]
        position += 1
        if _RST_SIMPLE_RULE.fullmatch(line):
            rules += 1
            if not lines[position : position + 1] or not lines[position].strip():
                break
        elif line.strip() and not set(line.strip()) <= {"-", " "}:
            ends = [start for start, _ in columns[1:]] + [None]
            cells = [flat(_rst_inline(line[start:end])) for (start, _), end in zip(columns, ends, strict=True)]
            if rows and not cells[0]:
                rows[-1] = [flat(f"{above} {cell}") for above, cell in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
    return (markdown_table(rows) if rows else ""), position


def from_org(text: str) -> tuple[str, str]:
    """(title or '', the text as Markdown) without drawers, properties, planning lines and comments."""
    title = re.search(r"^#\+title:\s*(.+?)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return title[1] if title else "", "\n".join(_org_lines(text))


def _org_lines(text: str) -> Iterator[str]:
    block, in_drawer = "", False
    rows: list[list[str]] = []
    for line in [*text.replace("\r\n", "\n").split("\n"), ""]:
        mark = _ORG_BLOCK.fullmatch(line)
        row = re.fullmatch(r"\s*\|(.*?)\|?\s*", line) if not block else None
        if rows and not row:
            yield markdown_table(rows)
            rows = []
        if mark:
            block = mark[2].lower() if mark[1].lower() == "begin" else ""
            if mark[2].lower() in {"src", "example"}:
                yield "```"
        elif block in {"src", "example"}:
            yield line
        elif block in {"comment", "export"} or re.match(r"\s*#(?:\+\w+:|\s|$)", line) or _ORG_PLAN.match(line):
            continue
        elif re.fullmatch(r"\s*:end:\s*", line, re.IGNORECASE):
            in_drawer = False
        elif in_drawer or re.fullmatch(r"\s*:[\w-]+:\s*", line):
            in_drawer = True
        elif row:
            if not re.fullmatch(r"[-+]+", row[1].strip()):
                rows.append([flat(_org_inline(cell)) for cell in row[1].split("|")])
        elif headline := re.match(
            r"(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING)\s+)?(?:\[#\w\]\s+)?(.*?)(?:\s+:[\w@#%:]+:)?\s*$", line
        ):
            yield heading(len(headline[1]), _org_inline(headline[2]))
        else:
            yield _org_inline(line)


def _org_inline(text: str) -> str:
    text = re.sub(r"\[fn:(\w+)\]", r"[\1]", re.sub(r"\\vert(?:\{\}|\b)", "|", text))
    text = re.sub(r"\[\[([^\]]+)\]\[([^\]]+)\]\]", r"[\2](\1)", text)
    text = re.sub(r"\[\[([^\]]+)\]\]", r"\1", text)
    return re.sub(r"(?<![\w~=])[~=]([^\s~=](?:[^~=\n]*[^\s~=])?)[~=](?![\w~=])", r"`\1`", text)
