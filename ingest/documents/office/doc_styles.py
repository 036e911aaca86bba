"""Styles and lists of a Word 97-2003 document: which paragraphs are headings, and how list items count.

The layout is that of Microsoft's [MS-DOC]: the style sheet (2.9.271 STSH), the lists and their uses (2.9.150 LSTF,
2.9.131 LFO), their levels (2.9.148 LVLF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.documents.structure.numbering import Counter, Level

# Single property modifiers (2.6) of paragraphs, by operation code.
OUTLINE, LIST, LIST_LEVEL = 0x2640, 0x460B, 0x260A
_HUGE = 0x6646  # the modifiers are in the stream 'Data'
# Bytes of the operand by the upper three bits of the operation code.
_OPERAND_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_TABLE_DEFINITION = 0xD608
BODY_LEVEL = 9
# Word's identifiers of built-in styles: the nine headings, the title, the entries of tables of contents.
_HEADINGS, _TITLE, _CONTENTS = range(1, 10), 62, range(19, 28)
_PARAGRAPH_STYLE = 1
_NO_STYLE = 0xFFF
# Number formats ([MS-OSHARED] 2.2.1.3, MSONFC), by their names in docx.
_FORMATS = {
    0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 10: "ideographDigital",
    11: "japaneseCounting", 18: "decimalEnclosedCircle", 22: "decimalZero", 23: "bullet", 30: "ideographTraditional",
    33: "taiwaneseCounting", 34: "ideographLegalTraditional", 35: "taiwaneseCountingThousand", 37: "chineseCounting",
    38: "chineseLegalSimplified", 39: "chineseCountingThousand", 255: "none",
}  # fmt: skip
_LEVELS = 9
_LSTF, _LVLF, _LFO = 28, 28, 16  # bytes
# Flags of a level that a use of a list overrides (2.9.132 LFOLVL).
_RESTARTS, _HAS_LEVEL = 0x10, 0x20


def modifiers(data: bytes, stored: bytes = b"") -> Iterator[tuple[int, bytes]]:
    """(operation code, operand) of each modifier; `stored` is the stream 'Data', which has long lists of them."""
    position = 0
    while position + 2 < len(data):
        (operation,) = struct.unpack_from("<H", data, position)
        position += 2
        size = _OPERAND_SIZES.get(operation >> 13)
        if size is None:  # the operand's first byte is its length; a table definition's length takes two bytes
            size = 1 + data[position]
            if operation == _TABLE_DEFINITION:
                size += data[position + 1] << 8
        operand = data[position : position + size]
        position += size
        if operation == _HUGE and len(operand) == 4:
            offset = int.from_bytes(operand, "little")
            length = int.from_bytes(stored[offset : offset + 2], "little")
            yield from modifiers(stored[offset + 2 : offset + 2 + length])
        else:
            yield operation, operand


@dataclass(frozen=True)
class Style:
    """A paragraph style, with what it inherits. `level` is the outline level: 0 for a title, 9 for text.

    `list` is the number of its list, 0 for none; `depth` the level in that list, from 0.
    """

    level: int = BODY_LEVEL
    list: int = 0
    depth: int = 0
    is_contents: bool = False


def styles(sheet: bytes) -> dict[int, Style]:
    """The paragraph styles of a style sheet by their index in it."""
    if len(sheet) < 6:
        return {}
    size, count, base_size = struct.unpack_from("<HHH", sheet)
    position = 2 + size
    result: dict[int, Style] = {}
    definitions: dict[int, bytes] = {}
    for number in range(count):
        if position + 2 > len(sheet):
            break
        (length,) = struct.unpack_from("<H", sheet, position)
        definitions[number] = sheet[position + 2 : position + 2 + length]
        position += 2 + length

    def resolved(number: int, depth: int) -> Style:
        if number not in result:
            result[number] = Style()  # ends the recursion of a style that is based on itself
            definition = definitions.get(number, b"")
            if len(definition) >= 10 and depth < len(definitions):
                kind, base = definition[2] & 0xF, struct.unpack_from("<H", definition, 2)[0] >> 4
                if kind == _PARAGRAPH_STYLE:
                    parent = resolved(base, depth + 1) if base != _NO_STYLE else Style()
                    result[number] = _style(definition, base_size, parent)
        return result[number]

    return {number: resolved(number, 0) for number in definitions}


def _style(definition: bytes, base_size: int, parent: Style) -> Style:
    identifier = struct.unpack_from("<H", definition)[0] & 0xFFF
    (name_length,) = struct.unpack_from("<H", definition, base_size)
    offset = base_size + 2 * name_length + 4
    offset += offset % 2
    length = int.from_bytes(definition[offset : offset + 2], "little")
    properties = dict(modifiers(definition[offset + 4 : offset + 2 + length]))
    level = parent.level
    if OUTLINE in properties:
        level = properties[OUTLINE][0]
    elif identifier in _HEADINGS:
        level = identifier - 1
    elif identifier == _TITLE:
        level = 0
    return Style(
        level,
        int.from_bytes(properties[LIST], "little") if LIST in properties else parent.list,
        properties[LIST_LEVEL][0] if LIST_LEVEL in properties else parent.depth,
        identifier in _CONTENTS,
    )


def counters(lists: bytes, uses: bytes) -> dict[int, Counter]:
    """The counter of each use of a list, by the number that paragraphs refer to it with, from 1.

    `lists` begins with the table of lists (PlfLst), followed by their levels; `uses` is the table of uses (PlfLfo).
    Uses of one list share their numbers; a use that restarts does so at its first item.
    """
    if len(lists) < 2 or len(uses) < 4:
        return {}
    levels = _list_levels(lists)
    shared_numbers: dict[int, dict[int, int]] = {}
    result: dict[int, Counter] = {}
    (count,) = struct.unpack_from("<I", uses)
    count = min(count, (len(uses) - 4) // _LFO)
    position = 4 + _LFO * count
    for number in range(count):
        (identifier,) = struct.unpack_from("<i", uses, 4 + _LFO * number)
        own_levels, starts = dict(levels.get(identifier, {})), {}
        position += 4
        for _ in range(uses[4 + _LFO * number + 12]):
            if position + 8 > len(uses):
                break
            start, flags = struct.unpack_from("<iI", uses, position)
            position += 8
            if flags & _HAS_LEVEL:
                own_levels[flags & 0xF], position = _level(uses, position)
                start = own_levels[flags & 0xF].start
            if flags & _RESTARTS:
                starts[flags & 0xF] = start
        numbers = shared_numbers.setdefault(identifier, {})
        result[number + 1] = Counter(own_levels, numbers, starts)
    return result


def _list_levels(lists: bytes) -> dict[int, dict[int, Level]]:
    """{list identifier: {depth: level}}; a damaged table ends early."""
    levels: dict[int, dict[int, Level]] = {}
    (count,) = struct.unpack_from("<h", lists)
    position = 2 + _LSTF * count
    for number in range(count):
        (identifier,) = struct.unpack_from("<i", lists, 2 + _LSTF * number)
        is_simple = lists[2 + _LSTF * number + 26] & 1
        levels[identifier] = {}
        for depth in range(1 if is_simple else _LEVELS):
            if position + _LVLF + 2 > len(lists):
                break
            levels[identifier][depth], position = _level(lists, position)
    return levels


def _level(data: bytes, position: int) -> tuple[Level, int]:
    """(level, offset after it). The characters 0 to 8 of its text are placeholders for the numbers of the levels."""
    start, number_format, flags = struct.unpack_from("<iBB", data, position)
    character_size, paragraph_size = data[position + 24], data[position + 25]
    offset = position + _LVLF + character_size + paragraph_size
    (length,) = struct.unpack_from("<H", data, offset)
    end = offset + 2 + 2 * length
    raw = data[offset + 2 : end].decode("utf-16-le", "replace")
    text = "".join(f"%{ord(c) + 1}" if ord(c) < _LEVELS else c.replace("%", "") for c in raw)
    return Level(_FORMATS.get(number_format, "decimal"), text, max(0, start), bool(flags & 4)), end
