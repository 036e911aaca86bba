"""What the control words of Rich Text Format stand for, and what a reader of it keeps. A leaf beside `cell_edges`.

Microsoft's "Rich Text Format (RTF) Specification", version 1.9.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.documents.office.cell_edges import Cell, TableRow

TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
# Groups that hold no text of the document. What is marked '\*' and not known here is skipped as well.
SKIPPED = frozenset(
    """colortbl info pict objdata header headerl headerr headerf footer footerl footerr footerf sn sv
    shprslt nonshppict listtable listoverridetable rsidtbl generator themedata datastore latentstyles xmlnstbl
    revtbl atnid atnauthor annotation bkmkstart bkmkend tc xe ftnsep ftnsepc aftnsep aftnsepc panose falt""".split()
)
STARRED_TEXT = frozenset({"shpinst", "shptxt", "footnote", "fldinst"})
# Groups that hold what a list puts before its item.
LIST_TEXT = frozenset({"listtext", "pntext"})
LINK = re.compile(r'\s*HYPERLINK\s+"((?:https?://|mailto:)[^"\s]+)"')
PARAGRAPH_ENDS = frozenset({"par", "sect", "page"})
CHARACTERS = {
    "tab": " ", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "nestcell": " ",
}  # fmt: skip
SYMBOLS = {"~": " ", "_": "-", "\n": "\r", "\r": "\r", "\t": " ", "{": "{", "}": "}", "\\": "\\"}
# \fcharset to Python's codec.
CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp437",
}  # fmt: skip
SYMBOL_CHARSET = 2
CODE_PAGES = {936: "gb18030", 950: "big5", 10000: "mac_roman", 65001: "utf-8"}


@dataclass
class State:
    """What a group inherits and gives back when it ends."""

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
    """A field: where among what was said it began, and what it is made from."""

    begun: int
    code: str = ""


@dataclass
class TableShape:
    """The cells of the row that is being read, as far as they are known: where each ends, and how it is merged."""

    left: int = 0
    cells: list[tuple[int, bool, bool]] = field(default_factory=list)
    goes_on: bool = False
    goes_along: bool = False

    def row(self, texts: list[str]) -> TableRow:
        if len(texts) != len(self.cells):
            return TableRow([Cell(text, 0) for text in texts])
        return TableRow([Cell(text, *cell) for text, cell in zip(texts, self.cells, strict=True)], self.left)
