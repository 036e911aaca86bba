"""Rich Text Format as Markdown: headings, tables, notes, in the code page of each font. Knows nothing of files.

Control words are those of Microsoft's "Rich Text Format (RTF) Specification", version 1.9.1. striprtf, the library
there is, decodes as well but knows neither headings nor tables.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from ingest.errors import ReadError
from ingest.formats.markdown import flat, heading, join, paragraph
from ingest.formats.tables import Grid, to_markdown
from ingest.types import Page

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
# Groups that hold no text of the document. What is marked '\*' and not known here is skipped as well.
_SKIPPED = frozenset(
    """colortbl info pict objdata header headerl headerr headerf footer footerl footerr footerf fldinst sn sv
    shprslt nonshppict listtable listoverridetable rsidtbl generator themedata datastore latentstyles xmlnstbl
    revtbl atnid atnauthor annotation bkmkstart bkmkend tc xe ftnsep ftnsepc aftnsep aftnsepc panose falt""".split()
)
_STARRED_TEXT = frozenset({"shpinst", "shptxt"})
_PARAGRAPH_ENDS = frozenset({"par", "sect", "page"})
_CHARACTERS = {
    "tab": " ", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "nestcell": " ",
}  # fmt: skip
_SYMBOLS = {"~": " ", "_": "-", "\n": "\r", "\r": "\r", "\t": " ", "{": "{", "}": "}", "\\": "\\"}
# \fcharset to Python's codec.
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp437",
}  # fmt: skip
_SYMBOL_CHARSET = 2
_CODE_PAGES = {936: "gb18030", 950: "big5", 10000: "mac_roman", 65001: "utf-8"}
# Deeper nesting than any program writes.
_DEEPEST = 2000


def read_rtf(data: bytes) -> list[Page]:
    """One page. Raises ReadError when the file is no RTF."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise ReadError("the file is damaged or not really a .rtf file: open and save it again")
    return [Page("", join(_Reader().blocks(data.decode("latin-1"))))]


@dataclass
class _State:
    """What a group inherits and gives back when it ends."""

    skipped: bool = False
    destination: str = ""
    font: int = -1
    fallback: int = 1
    hidden: bool = False
    style: int = 0
    level: int = -1
    in_table: bool = False


@dataclass
class _Reader:
    state: _State = field(default_factory=_State)
    stack: list[_State] = field(default_factory=list)
    code_page: str = "cp1252"
    fonts: dict[int, int] = field(default_factory=dict)
    default_font: int = -1
    style_levels: dict[int, int] = field(default_factory=dict)
    style_name: str = ""
    pending: bytearray = field(default_factory=bytearray)
    said: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outside: list[list[str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def blocks(self, source: str) -> list[str]:
        position, skip, starred = 0, 0, False
        while match := _TOKEN.match(source, position):
            position = match.end()
            word, number = match["word"], int(match["number"]) if match["number"] else None
            if match["brace"]:
                skip = 0
                self._brace(match["brace"])
            elif word == "bin":
                position += max(0, number or 0)
            elif word == "u" and number is not None:
                self._flush()
                self._say(chr(number % 0x10000))
                skip = self.state.fallback
            elif word:
                self._word(word, number, starred)
            elif match["symbol"] == "*":
                starred = True
                continue
            elif skip and (match["byte"] or match["text"]):
                # What stands there for programs that do not know Unicode.
                rest = "" if match["byte"] else match["text"][skip:]
                skip = max(0, skip - (1 if match["byte"] else len(match["text"])))
                self._bytes(rest.encode("latin-1"))
            elif match["byte"]:
                self._bytes(bytes.fromhex(match["byte"]))
            elif match["text"]:
                self._bytes(match["text"].encode("latin-1"))
            elif match["symbol"] in _SYMBOLS:
                self._flush()
                if _SYMBOLS[match["symbol"]] == "\r":
                    self._end_paragraph()
                else:
                    self._say(_SYMBOLS[match["symbol"]])
            starred = False
        self._end_paragraph()
        self._end_table()
        return self.done

    def _brace(self, brace: str) -> None:
        self._flush()
        if brace == "{":
            if len(self.stack) > _DEEPEST:
                raise ReadError("the file is damaged: its groups do not end; open and save it again")
            self.stack.append(self.state)
            self.state = replace(self.state)
        elif self.stack:
            ended, self.state = self.state, self.stack.pop()
            if ended.destination == "footnote" != self.state.destination and self.outside:
                note, self.said = flat("".join(self.said)), self.outside.pop()
                self.notes.append(f"({note})")
            elif ended.destination == "stylesheet" and self.style_name:
                found = re.match(r"(?:heading|标题|titre|überschrift)\s*([1-9])\b", self.style_name.lower())
                level = int(found[1]) - 1 if found else 0 if self.style_name.lower().startswith("title") else -1
                self.style_levels[ended.style] = ended.level if ended.level >= 0 else level
                self.style_name = ""

    def _word(self, word: str, number: int | None, starred: bool) -> None:
        state = self.state
        self._flush()
        if word in _SKIPPED or (starred and word not in _STARRED_TEXT):
            state.skipped = True
        elif word in {"fonttbl", "stylesheet"}:
            state.destination, state.style, state.level = word, 0, -1
        elif word == "footnote" and not state.skipped:
            state.destination = "footnote"
            self.outside.append(self.said)
            self.said = []
        elif word == "ansicpg":
            self.code_page = _CODE_PAGES.get(number or 0, f"cp{number}")
        elif word in {"mac", "pc", "pca"}:
            self.code_page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "deff":
            self.default_font = number or 0
        elif word == "f":
            state.font = number or 0
        elif word == "fcharset":
            self.fonts[state.font] = number or 0
        elif word == "uc":
            state.fallback = max(0, number if number is not None else 1)
        elif word in {"v", "deleted"}:
            state.hidden = number != 0
        elif word == "plain":
            state.hidden, state.font = False, self.default_font
        elif word == "pard":
            state.style, state.level, state.in_table = 0, -1, False
        elif word == "s":
            state.style = number or 0
        elif word == "outlinelevel":
            state.level = number if number is not None and 0 <= number < 9 else -1
        elif word == "intbl":
            state.in_table = True
        else:
            self._structure(word)

    def _structure(self, word: str) -> None:
        if self.state.skipped or self.state.destination in {"fonttbl", "stylesheet"}:
            return
        if word in _PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word == "cell":
            self.cells.append(flat("".join(self.said)))
            self.said = []
        elif word == "row":
            self.rows.append(self.cells)
            self.cells = []
        elif word in _CHARACTERS:
            self._say(_CHARACTERS[word])

    def _bytes(self, data: bytes) -> None:
        if not self.state.skipped and not self.state.hidden:
            self.pending += data

    def _flush(self) -> None:
        """The bytes collected so far as text: a character of two bytes may come as two escapes."""
        if not self.pending:
            return
        font = self.state.font if self.state.font >= 0 else self.default_font
        charset = self.fonts.get(font, 0)
        data, self.pending = bytes(self.pending), bytearray()
        if charset == _SYMBOL_CHARSET:  # bullets and pictures, whose letters mean nothing
            self._say("".join("-" if byte in {0xB7, 0xA7, 0xD8, 0x6F} else " " for byte in data))
            return
        name = _CHARSETS.get(charset, self.code_page)
        try:
            codecs.lookup(name)
        except LookupError:
            name = "cp1252"
        self._say(data.decode(name, errors="replace"))

    def _say(self, text: str) -> None:
        state = self.state
        if state.skipped or state.hidden or state.destination == "fonttbl":
            return
        if state.destination == "stylesheet":
            self.style_name = (self.style_name + text).rstrip(";").strip()
        else:
            self.said.append(text)

    def _end_paragraph(self) -> None:
        self._flush()
        if self.state.destination in {"stylesheet", "fonttbl", "footnote"} or self.state.in_table:
            self.said.append(" ")
            return
        # Characters beyond the first 65,536 come as two halves.
        text = "".join(self.said).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.said = []
        lines = [flat(line) for line in text.split("\n")]
        if not any(lines):
            return
        self._end_table()
        level = self.state.level if self.state.level >= 0 else self.style_levels.get(self.state.style, -1)
        text = "\n".join(line for line in lines if line)
        self.done.append(heading(level + 1, text) if level >= 0 else paragraph(text))
        self._end_notes()

    def _end_table(self) -> None:
        if self.rows:
            self.done.append(to_markdown(Grid.of(self.rows).without_blank_rows()))
            self.rows = []
            self._end_notes()

    def _end_notes(self) -> None:
        self.done += self.notes
        self.notes = []
