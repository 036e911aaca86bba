"""Rich Text Format as Markdown: headings, tables, notes, in the code page of each font. Knows nothing of files.

Control words are those of Microsoft's "Rich Text Format (RTF) Specification", version 1.9.1. striprtf, the library
there is, decodes as well but knows neither headings nor tables.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office import rtf_words as rtf
from ingest.documents.office.cell_edges import TableRow, grid
from ingest.documents.structure.markdown import flat, heading, join, paragraph
from ingest.documents.structure.tables import to_markdown

# Deeper nesting than any program writes.
_DEEPEST = 2000


def read_rtf(data: bytes) -> list[Page]:
    """One page. Raises ReadError when the file is no RTF."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise ReadError("the file is damaged or not really a .rtf file: open and save it again")
    return [Page("", join(_Reader().blocks(data.decode("latin-1"))))]


@dataclass
class _Reader:
    state: rtf.State = field(default_factory=rtf.State)
    stack: list[rtf.State] = field(default_factory=list)
    code_page: str = "cp1252"
    fonts: dict[int, int] = field(default_factory=dict)
    default_font: int = -1
    style_levels: dict[int, int] = field(default_factory=dict)
    style_name: str = ""
    pending: bytearray = field(default_factory=bytearray)
    said: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    rows: list[TableRow] = field(default_factory=list)
    shape: rtf.TableShape = field(default_factory=rtf.TableShape)
    marker: str | None = None
    fields: list[rtf.Field] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    note_count: int = 0
    outside: list[list[str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def blocks(self, source: str) -> list[str]:
        position, skip, starred = 0, 0, False
        while match := rtf.TOKEN.match(source, position):
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
            elif match["symbol"] in rtf.SYMBOLS:
                self._flush()
                if rtf.SYMBOLS[match["symbol"]] == "\r":
                    self._end_paragraph()
                else:
                    self._say(rtf.SYMBOLS[match["symbol"]])
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
                self.note_count += 1
                self.said.append(f"[{self.note_count}]")
                self.notes.append(f"[{self.note_count}] {note}")
            elif ended.destination == "field" != self.state.destination and self.fields:
                self._end_field(self.fields.pop())
            elif ended.destination == "stylesheet" and self.style_name:
                found = re.match(r"(?:heading|标题|titre|überschrift)\s*([1-9])\b", self.style_name.lower())
                level = int(found[1]) - 1 if found else 0 if self.style_name.lower().startswith("title") else -1
                self.style_levels[ended.style] = ended.level if ended.level >= 0 else level
                self.style_name = ""

    def _end_field(self, ended: rtf.Field) -> None:
        """A link keeps where it leads."""
        link, name = rtf.LINK.match(ended.code), "".join(self.said[ended.begun :]).strip()
        if link and name and link[1].removeprefix("mailto:") != name:
            self.said[ended.begun :] = [f"[{name}]({link[1]})"]

    def _word(self, word: str, number: int | None, starred: bool) -> None:
        state = self.state
        self._flush()
        if word in rtf.SKIPPED or (starred and word not in rtf.STARRED_TEXT):
            state.skipped = True
        elif word in {"fonttbl", "stylesheet"}:
            state.destination, state.style, state.level = word, 0, -1
        elif word in rtf.LIST_TEXT and not state.skipped:
            state.destination = "marker"
            self.marker = ""
        elif word == "field" and not state.skipped:
            state.destination = "field"
            self.fields.append(rtf.Field(len(self.said)))
        elif word == "fldinst":
            state.destination, state.skipped = "fldinst", state.skipped or not self.fields
        elif word == "fldrslt" and self.fields:
            state.destination = "result"
            state.skipped = state.skipped or self.fields[-1].code.split()[:1] == ["TOC"]
        elif word == "footnote" and not state.skipped:
            state.destination = "footnote"
            self.outside.append(self.said)
            self.said = []
        elif word == "ansicpg":
            self.code_page = rtf.CODE_PAGES.get(number or 0, f"cp{number}")
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
            state.style, state.level, state.depth, state.in_table = 0, -1, 0, False
        elif word == "ilvl":
            state.depth = max(0, min(number or 0, 8))
        elif word == "s":
            state.style = number or 0
        elif word == "outlinelevel":
            state.level = number if number is not None and 0 <= number < 9 else -1
        elif word == "intbl":
            state.in_table = True
        elif not state.skipped:
            self._table(word, number or 0)
            self._structure(word)

    def _table(self, word: str, number: int) -> None:
        """What a row says of its cells, before them or after them."""
        shape = self.shape
        if word == "trowd":
            self.shape = rtf.TableShape()
        elif word == "trleft":
            shape.left = number
        elif word in {"clvmrg", "clmrg"}:
            shape.goes_on, shape.goes_along = shape.goes_on or word == "clvmrg", shape.goes_along or word == "clmrg"
        elif word == "cellx":
            shape.cells.append((number, shape.goes_on, shape.goes_along))
            shape.goes_on = shape.goes_along = False

    def _structure(self, word: str) -> None:
        if self.state.skipped or self.state.destination in {"fonttbl", "stylesheet"}:
            return
        if word in rtf.PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word == "cell":
            self.cells.append(f"{self._mark()} {flat(''.join(self.said))}")
            self.said = []
        elif word == "row":
            self.rows.append(self.shape.row(self.cells))
            self.cells = []
        elif word in rtf.CHARACTERS:
            self._say(rtf.CHARACTERS[word])

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
        if charset == rtf.SYMBOL_CHARSET:  # bullets and pictures, whose letters mean nothing
            self._say("".join("-" if byte in {0xB7, 0xA7, 0xD8, 0x6F} else " " for byte in data))
            return
        name = rtf.CHARSETS.get(charset, self.code_page)
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
        elif state.destination == "marker":
            self.marker = (self.marker or "") + text
        elif state.destination == "fldinst":
            if self.fields:
                self.fields[-1].code += text
        else:
            self.said.append(text)

    def _end_paragraph(self) -> None:
        self._flush()
        if self.state.destination in {"stylesheet", "fonttbl", "footnote", "marker", "fldinst"} or self.state.in_table:
            if self.state.destination not in {"marker", "fldinst"}:
                self.said = [f"{self._mark()} {''.join(self.said)}".lstrip() + " "]
            return
        # Characters beyond the first 65,536 come as two halves.
        text = "".join(self.said).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.said = []
        for started in self.fields:
            started.begun = 0
        mark, depth = self._mark(), self.state.depth
        lines = [flat(line) for line in text.split("\n")]
        if not any(lines):
            return
        self._end_table()
        level = self.state.level if self.state.level >= 0 else self.style_levels.get(self.state.style, -1)
        text = "\n".join(line for line in lines if line)
        if level >= 0:
            self.done.append(heading(level + 1, f"{mark.removeprefix('-')} {text}"))
        else:
            self.done.append(f"{'  ' * depth}{mark} {flat(text)}" if mark else paragraph(text))
        self._end_notes()

    def _mark(self) -> str:
        """What the list puts before its item, once: its number, or a dash for a bullet of any kind."""
        mark, self.marker = self.marker, None
        if mark is None:
            return ""
        mark = flat(mark)
        return mark if re.search(r"\w", mark) else "-"

    def _end_table(self) -> None:
        if self.rows:
            self.done.append(to_markdown(grid(self.rows).without_blank_rows()))
            self.rows = []
            self._end_notes()

    def _end_notes(self) -> None:
        self.done += self.notes
        self.notes = []
