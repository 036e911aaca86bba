"""Control words of Rich Text Format (Microsoft's "RTF Specification", version 1.9.1) and the state they change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.documents.office.cell_edges import Cell, TableRow

TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
# Destinations without text of the document. Unknown destinations marked '\*' are skipped as well.
SKIPPED = frozenset(
    """colortbl info pict objdata header headerl headerr headerf footer footerl footerr footerf sn sv
    shprslt nonshppict listtable listoverridetable rsidtbl generator themedata datastore latentstyles xmlnstbl
    revtbl atnid atnauthor annotation bkmkstart bkmkend tc xe ftnsep ftnsepc aftnsep aftnsepc panose falt""".split()
)
STARRED_TEXT = frozenset({"shpinst", "shptxt", "footnote", "fldinst"})
# Destinations with the number or bullet of a list item.
LIST_TEXT = frozenset({"listtext", "pntext"})
LINK = re.compile(r'\s*HYPERLINK\s+"((?:https?://|mailto:)[^"\s]+)"')
PARAGRAPH_ENDS = frozenset({"par", "sect", "page"})
CHARACTERS = {
    "tab": " ", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "nestcell": " ",
}  # fmt: skip
SYMBOLS = {"~": " ", "_": "-", "\n": "\r", "\r": "\r", "\t": " ", "{": "{", "}": "}", "\\": "\\"}
# Python's codec for each \fcharset.
CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp437",
}  # fmt: skip
SYMBOL_CHARSET = 2
CODE_PAGES = {936: "gb18030", 950: "big5", 10000: "mac_roman", 65001: "utf-8"}


@dataclass
class State:
    """The properties that a group inherits, and that are restored when it ends."""

    skipped: bool = False
    destination: str = ""
    font: int = -1
    fallback: int = 1
    hidden: bool = False
    style: int = 0
    level: int = -1
    depth: int = 0
    in_table: bool = False


@dataclass
class Field:
    """A field: the index in the text of the paragraph where its result begins, and its code."""

    start: int
    code: str = ""


@dataclass
class RowDefinition:
    """The cells of a row, as far as they are defined: where each ends in twips, and how it is merged."""

    left: int = 0
    cells: list[tuple[int, bool, bool]] = field(default_factory=list)  # (right edge, merged above, merged left)
    merged_above: bool = False
    merged_left: bool = False

    def row(self, texts: list[str]) -> TableRow:
        """The row with these texts; without edges when it defines another number of cells."""
        if len(texts) != len(self.cells):
            return TableRow([Cell(text, 0) for text in texts])
        return TableRow([Cell(text, *cell) for text, cell in zip(texts, self.cells, strict=True)], self.left)
