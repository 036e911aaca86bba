"""What a Word 97-2003 document says of its styles and lists: headings, and how items count. Knows nothing of text.

The layout is that of Microsoft's [MS-DOC]: the style sheet (2.9.271 STSH), the lists and how they are used (2.9.150
LSTF, 2.9.131 LFO), their levels (2.9.148 LVLF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.documents.structure.numbering import Counter, Level

# Single property modifiers (2.6) of paragraphs.
OUTLINE, LIST, LIST_LEVEL = 0x2640, 0x460B, 0x260A
_HUGE = 0x6646
_OPERAND_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_TABLE_DEFINITION = 0xD608
BODY_LEVEL = 9
# Numbers that Word has for its own styles: the nine headings, the title, the entries of tables of contents.
_HEADINGS, _TITLE, _CONTENTS = range(1, 10), 62, range(19, 28)
_PARAGRAPH_STYLE = 1
_NO_STYLE = 0xFFF
# Ways to write a number ([MS-OSHARED] 2.2.1.3, MSONFC), by the names that docx has for them.
_FORMATS = {
    0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 10: "ideographDigital",
    11: "japaneseCounting", 18: "decimalEnclosedCircle", 22: "decimalZero", 23: "bullet", 30: "ideographTraditional",
    33: "taiwaneseCounting", 34: "ideographLegalTraditional", 35: "taiwaneseCountingThousand", 37: "chineseCounting",
    38: "chineseLegalSimplified", 39: "chineseCountingThousand", 255: "none",
}  # fmt: skip
_LEVELS = 9
_LSTF, _LVLF, _LFO = 28, 28, 16
# Of a level that a use of a list changes (2.9.132 LFOLVL).
_STARTS_ANEW, _HAS_LEVEL = 0x10, 0x20


def modifiers(data: bytes, stored: bytes = b"") -> Iterator[tuple[int, bytes]]:
    """(operation, its operand) of each modifier. One for very many stands in `stored`, the stream 'Data'."""
    position = 0
    while position + 2 < len(data):
        (operation,) = struct.unpack_from("<H", data, position)
        position += 2
        size = _OPERAND_SIZES.get(operation >> 13)
        if size is None:  # of variable length, which the operand's first byte says; a table's takes two
            size = 1 + data[position]
            if operation == _TABLE_DEFINITION:
                size += data[position + 1] << 8
        operand = data[position : position + size]
        position += size
        if operation == _HUGE and len(operand) == 4:
            place = int.from_bytes(operand, "little")
            length = int.from_bytes(stored[place : place + 2], "little")
            yield from modifiers(stored[place + 2 : place + 2 + length])
        else:
            yield operation, operand


@dataclass(frozen=True)
class Style:
    """A paragraph style with what it has from those it is based on. `level` is 0 for a title, 9 for text."""

    level: int = BODY_LEVEL
    list: int = 0
    depth: int = 0
    is_contents: bool = False


def styles(sheet: bytes) -> dict[int, Style]:
    """The paragraph styles by their numbers."""
    if len(sheet) < 6:
        return {}
    size, count, base_size = struct.unpack_from("<HHH", sheet)
    position = 2 + size
    found: dict[int, Style] = {}
    raw: dict[int, bytes] = {}
    for number in range(count):
        if position + 2 > len(sheet):
            break
        (length,) = struct.unpack_from("<H", sheet, position)
        raw[number] = sheet[position + 2 : position + 2 + length]
        position += 2 + length

    def resolved(number: int, depth: int) -> Style:
        if number not in found:
            found[number] = Style()  # a style that is based on itself ends here
            definition = raw.get(number, b"")
            if len(definition) >= 10 and depth < len(raw):
                kind, base = definition[2] & 0xF, struct.unpack_from("<H", definition, 2)[0] >> 4
                if kind == _PARAGRAPH_STYLE:
                    parent = resolved(base, depth + 1) if base != _NO_STYLE else Style()
                    found[number] = _style(definition, base_size, parent)
        return found[number]

    return {number: resolved(number, 0) for number in raw}


def _style(definition: bytes, base_size: int, parent: Style) -> Style:
    identifier = struct.unpack_from("<H", definition)[0] & 0xFFF
    (name_length,) = struct.unpack_from("<H", definition, base_size)
    place = base_size + 2 * name_length + 4
    place += place % 2
    length = int.from_bytes(definition[place : place + 2], "little")
    own = dict(modifiers(definition[place + 4 : place + 2 + length]))
    level = parent.level
    if OUTLINE in own:
        level = own[OUTLINE][0]
    elif identifier in _HEADINGS:
        level = identifier - 1
    elif identifier == _TITLE:
        level = 0
    return Style(
        level,
        int.from_bytes(own[LIST], "little") if LIST in own else parent.list,
        own[LIST_LEVEL][0] if LIST_LEVEL in own else parent.depth,
        identifier in _CONTENTS,
    )


def counters(lists: bytes, uses: bytes) -> dict[int, Counter]:
    """The counters of the lists by the numbers that paragraphs have for them, from 1.

    `lists` begins with the table of lists, and their levels follow after it; `uses` is the table of their uses. Uses
    of one list go on counting together; one that starts anew does so where it is first met.
    """
    if len(lists) < 2 or len(uses) < 4:
        return {}
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
    shared: dict[int, dict[int, int]] = {}
    found: dict[int, Counter] = {}
    (count,) = struct.unpack_from("<I", uses)
    count = min(count, (len(uses) - 4) // _LFO)
    position = 4 + _LFO * count
    for number in range(count):
        (identifier,) = struct.unpack_from("<i", uses, 4 + _LFO * number)
        own, starts = dict(levels.get(identifier, {})), {}
        position += 4
        for _ in range(uses[4 + _LFO * number + 12]):
            if position + 8 > len(uses):
                break
            start, flags = struct.unpack_from("<iI", uses, position)
            position += 8
            if flags & _HAS_LEVEL:
                own[flags & 0xF], position = _level(uses, position)
                start = own[flags & 0xF].start
            if flags & _STARTS_ANEW:
                starts[flags & 0xF] = start
        found[number + 1] = Counter(own, shared.setdefault(identifier, {}), starts)
    return found


def _level(data: bytes, position: int) -> tuple[Level, int]:
    """(the level, where the next one begins). In its text the characters 0 to 8 stand for the levels' numbers."""
    start, number_format, flags = struct.unpack_from("<iBB", data, position)
    character_size, paragraph_size = data[position + 24], data[position + 25]
    place = position + _LVLF + character_size + paragraph_size
    (length,) = struct.unpack_from("<H", data, place)
    end = place + 2 + 2 * length
    raw = data[place + 2 : end].decode("utf-16-le", "replace")
    text = "".join(f"%{ord(one) + 1}" if ord(one) < _LEVELS else one.replace("%", "") for one in raw)
    return Level(_FORMATS.get(number_format, "decimal"), text, max(0, start), bool(flags & 4)), end
