"""Rich Text Format (rtf) as Markdown: headings, lists, tables, notes, each font in its own code page.

Control words are those of Microsoft's "Rich Text Format (RTF) Specification", version 1.9.1. The library striprtf was
not used: it decodes text, but does not recognise headings and tables.
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

# Groups nested deeper than any program writes.
_DEEPEST = 2000
_HEADING_NAME = re.compile(r"(?:heading|标题|titre|überschrift)\s*([1-9])\b")
# Bytes of the font Symbol that are bullets.
_SYMBOL_BULLETS = {0xB7, 0xA7, 0xD8, 0x6F}


def read_rtf(data: bytes) -> list[Page]:
    """One page without a label. Raises ReadError when the file is no RTF or its groups do not end."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise ReadError("the file is damaged or not really a .rtf file: open and save it again")
    return [Page("", join(_Reader().read(data.decode("latin-1"))))]


@dataclass
class _Reader:
    """A pass over the control words and text of one document, with the blocks written so far."""

    state: rtf.State = field(default_factory=rtf.State)
    outer_states: list[rtf.State] = field(default_factory=list)
    code_page: str = "cp1252"
    font_charsets: dict[int, int] = field(default_factory=dict)
    default_font: int = -1
    style_levels: dict[int, int] = field(default_factory=dict)
    style_name: str = ""
    pending: bytearray = field(default_factory=bytearray)  # bytes that are not decoded yet
    text: list[str] = field(default_factory=list)  # of the paragraph, cell or note that is being read
    outer_texts: list[list[str]] = field(default_factory=list)  # of the paragraphs around a note
    cells: list[str] = field(default_factory=list)
    rows: list[TableRow] = field(default_factory=list)
    row_definition: rtf.RowDefinition = field(default_factory=rtf.RowDefinition)
    list_marker: str | None = None
    open_fields: list[rtf.Field] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    note_count: int = 0
    blocks: list[str] = field(default_factory=list)

    def read(self, source: str) -> list[str]:
        """The Markdown blocks of the document. Raises ReadError when groups nest without end."""
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
                self._decode_pending()
                self._add_text(chr(number % 0x10000))
                skip = self.state.fallback
            elif word:
                self._word(word, number, starred)
            elif match["symbol"] == "*":
                starred = True
                continue
            elif skip and (match["byte"] or match["text"]):
                # The replacement of a Unicode character, for programs that do not know Unicode.
                remaining = "" if match["byte"] else match["text"][skip:]
                skip = max(0, skip - (1 if match["byte"] else len(match["text"])))
                self._add_bytes(remaining.encode("latin-1"))
            elif match["byte"]:
                self._add_bytes(bytes.fromhex(match["byte"]))
            elif match["text"]:
                self._add_bytes(match["text"].encode("latin-1"))
            elif match["symbol"] in rtf.SYMBOLS:
                self._decode_pending()
                if rtf.SYMBOLS[match["symbol"]] == "\r":
                    self._end_paragraph()
                else:
                    self._add_text(rtf.SYMBOLS[match["symbol"]])
            starred = False
        self._end_paragraph()
        self._end_table()
        return self.blocks

    def _brace(self, brace: str) -> None:
        self._decode_pending()
        if brace == "{":
            if len(self.outer_states) > _DEEPEST:
                raise ReadError("the file is damaged, its groups do not end: open and save it again")
            self.outer_states.append(self.state)
            self.state = replace(self.state)
        elif self.outer_states:
            ended, self.state = self.state, self.outer_states.pop()
            if ended.destination == "footnote" != self.state.destination and self.outer_texts:
                self._end_note()
            elif ended.destination == "field" != self.state.destination and self.open_fields:
                self._end_field(self.open_fields.pop())
            elif ended.destination == "stylesheet" and self.style_name:
                self._end_style(ended)

    def _end_note(self) -> None:
        note, self.text = flat("".join(self.text)), self.outer_texts.pop()
        self.note_count += 1
        self.text.append(f"[{self.note_count}]")
        self.notes.append(f"[{self.note_count}] {note}")

    def _end_field(self, ended: rtf.Field) -> None:
        """Write the result of a link as a Markdown link."""
        link, name = rtf.LINK.match(ended.code), "".join(self.text[ended.start :]).strip()
        if link and name and link[1].removeprefix("mailto:") != name:
            self.text[ended.start :] = [f"[{name}]({link[1]})"]

    def _end_style(self, style: rtf.State) -> None:
        """Store the outline level of a style: the declared one, else that of a heading or title by its name."""
        name = self.style_name.lower()
        heading_name = _HEADING_NAME.match(name)
        level = int(heading_name[1]) - 1 if heading_name else 0 if name.startswith("title") else -1
        self.style_levels[style.style] = style.level if style.level >= 0 else level
        self.style_name = ""

    def _word(self, word: str, number: int | None, starred: bool) -> None:
        self._decode_pending()
        if word in rtf.SKIPPED or (starred and word not in rtf.STARRED_TEXT):
            self.state.skipped = True
        elif not self._begin_destination(word) and not self._set_property(word, number) and not self.state.skipped:
            self._define_row(word, number or 0)
            self._end_part(word)

    def _begin_destination(self, word: str) -> bool:
        """Enter the destination of this name; False when the word names none."""
        state = self.state
        if word in {"fonttbl", "stylesheet"}:
            state.destination, state.style, state.level = word, 0, -1
        elif word in rtf.LIST_TEXT and not state.skipped:
            state.destination = "marker"
            self.list_marker = ""
        elif word == "field" and not state.skipped:
            state.destination = "field"
            self.open_fields.append(rtf.Field(len(self.text)))
        elif word == "fldinst":
            state.destination, state.skipped = "fldinst", state.skipped or not self.open_fields
        elif word == "fldrslt" and self.open_fields:
            state.destination = "result"
            state.skipped = state.skipped or self.open_fields[-1].code.split()[:1] == ["TOC"]
        elif word == "footnote" and not state.skipped:
            state.destination = "footnote"
            self.outer_texts.append(self.text)
            self.text = []
        else:
            return False
        return True

    def _set_property(self, word: str, number: int | None) -> bool:
        """Set the property of the document, font, character or paragraph of this name; False when it names none."""
        state = self.state
        if word == "ansicpg":
            self.code_page = rtf.CODE_PAGES.get(number or 0, f"cp{number}")
        elif word in {"mac", "pc", "pca"}:
            self.code_page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "deff":
            self.default_font = number or 0
        elif word == "f":
            state.font = number or 0
        elif word == "fcharset":
            self.font_charsets[state.font] = number or 0
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
        else:
            return False
        return True

    def _define_row(self, word: str, number: int) -> None:
        """Add to the definition of a row, which the file writes before its cells or after them."""
        row = self.row_definition
        if word == "trowd":
            self.row_definition = rtf.RowDefinition()
        elif word == "trleft":
            row.left = number
        elif word == "clvmrg":
            row.merged_above = True
        elif word == "clmrg":
            row.merged_left = True
        elif word == "cellx":
            row.cells.append((number, row.merged_above, row.merged_left))
            row.merged_above = row.merged_left = False

    def _end_part(self, word: str) -> None:
        """End a paragraph, a cell or a row, or add a character that has a name."""
        if self.state.destination in {"fonttbl", "stylesheet"}:
            return
        if word in rtf.PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word == "cell":
            self.cells.append(f"{self._take_marker()} {flat(''.join(self.text))}")
            self.text = []
        elif word == "row":
            self.rows.append(self.row_definition.row(self.cells))
            self.cells = []
        elif word in rtf.CHARACTERS:
            self._add_text(rtf.CHARACTERS[word])

    def _add_bytes(self, data: bytes) -> None:
        if not self.state.skipped and not self.state.hidden:
            self.pending += data

    def _decode_pending(self) -> None:
        """Decode the bytes collected so far: two escapes may be one character of two bytes."""
        if not self.pending:
            return
        font = self.state.font if self.state.font >= 0 else self.default_font
        charset = self.font_charsets.get(font, 0)
        data, self.pending = bytes(self.pending), bytearray()
        if charset == rtf.SYMBOL_CHARSET:  # bullets and pictures: the letters mean nothing
            self._add_text("".join("-" if byte in _SYMBOL_BULLETS else " " for byte in data))
            return
        codec = rtf.CHARSETS.get(charset, self.code_page)
        try:
            codecs.lookup(codec)
        except LookupError:
            codec = "cp1252"
        self._add_text(data.decode(codec, errors="replace"))

    def _add_text(self, text: str) -> None:
        state = self.state
        if state.skipped or state.hidden or state.destination == "fonttbl":
            return
        if state.destination == "stylesheet":
            self.style_name = (self.style_name + text).rstrip(";").strip()
        elif state.destination == "marker":
            self.list_marker = (self.list_marker or "") + text
        elif state.destination == "fldinst":
            if self.open_fields:
                self.open_fields[-1].code += text
        else:
            self.text.append(text)

    def _end_paragraph(self) -> None:
        self._decode_pending()
        if self.state.destination in {"stylesheet", "fonttbl", "footnote", "marker", "fldinst"} or self.state.in_table:
            if self.state.destination not in {"marker", "fldinst"}:
                self.text = [f"{self._take_marker()} {''.join(self.text)}".lstrip() + " "]
            return
        # Characters beyond U+FFFF come as two surrogates.
        text = "".join(self.text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.text = []
        for open_field in self.open_fields:
            open_field.start = 0
        marker, depth = self._take_marker(), self.state.depth
        lines = [flat(line) for line in text.split("\n")]
        if not any(lines):
            return
        self._end_table()
        level = self.state.level if self.state.level >= 0 else self.style_levels.get(self.state.style, -1)
        text = "\n".join(line for line in lines if line)
        if level >= 0:
            self.blocks.append(heading(level + 1, f"{marker.removeprefix('-')} {text}"))
        else:
            self.blocks.append(f"{'  ' * depth}{marker} {flat(text)}" if marker else paragraph(text))
        self._end_notes()

    def _take_marker(self) -> str:
        """The number of the list item, or '-' for a bullet of any kind; '' when there is none (left)."""
        marker, self.list_marker = self.list_marker, None
        if marker is None:
            return ""
        marker = flat(marker)
        return marker if re.search(r"\w", marker) else "-"

    def _end_table(self) -> None:
        if self.rows:
            self.blocks.append(to_markdown(grid(self.rows).without_blank_rows()))
            self.rows = []
            self._end_notes()

    def _end_notes(self) -> None:
        self.blocks += self.notes
        self.notes = []
