"""PowerPoint's pptx slide by slide, with python-pptx: title, text, tables, charts, notes. Knows nothing of files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.base.types import Page
from ingest.documents.office.package import local_name, open_package, parse_xml, refuse_declarations
from ingest.documents.sheets.number_format import format_cell
from ingest.documents.structure.markdown import flat, heading, join, markdown_table, paragraph
from ingest.documents.structure.numbering import format_number
from ingest.documents.structure.tables import Grid, Span, to_markdown

_LINE_BREAKS = str.maketrans({"\v": " ", "\n": " "})
# How a paragraph is numbered: scheme and first number.
_Numbering = tuple[str, int]
_SCHEMES = {
    **{"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman"},
    **{"circleNum": "decimalEnclosedCircle", "ea1": "chineseCounting"},
}
_AROUND = {"ParenBoth": "({})", "ParenR": "{})", "Period": "{}."}
_DIAGRAM = "/diagramData"
# What programs put where a person would describe the picture.
_FILE_NAME = re.compile(r"\.(png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)$", re.IGNORECASE)
# Shapes on one line of the slide differ by less than this in height: a tenth of an inch, in English Metric Units.
_SAME_LINE = 91_440


def read_pptx(data: bytes) -> list[Page]:
    """One page a slide, labelled 'slide 1', … Raises ReadError for a file made to explode."""
    from pptx import Presentation

    refuse_declarations(open_package(data))
    slides = Presentation(io.BytesIO(data)).slides
    return [Page(f"slide {number}", _slide(slide)) for number, slide in enumerate(slides, start=1)]


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    parts: list[str] = []
    if title is not None and flat(title.text_frame.text):
        parts.append(heading(1, title.text_frame.text))
    for shape in _in_reading_order(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            parts.extend(_shape(shape))
    parts.extend(_diagrams(slide))
    # The part that holds a slide's notes is made on access; only one that is there may be asked.
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        parts += [heading(3, "Notes"), *_paragraphs(notes, listed=False)]
    return join(parts)


def _in_reading_order(shapes: Iterable[Any]) -> list[Any]:
    """From top to bottom, side by side from left to right; what has no place of its own keeps its turn.

    Where all are placeholders, their order is that of the layout: two columns with a heading each, one after another.
    """
    placed = list(shapes)
    if any(shape.top is None or shape.left is None for shape in placed) or all(s.is_placeholder for s in placed):
        return placed
    lines: list[list[Any]] = []
    for shape in sorted(placed, key=lambda shape: int(shape.top)):
        if lines and shape.top - lines[-1][0].top < _SAME_LINE:
            lines[-1].append(shape)
        else:
            lines.append([shape])
    return [shape for line in lines for shape in sorted(line, key=lambda shape: int(shape.left))]


def _shape(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):  # a group
        for inner in _in_reading_order(shape.shapes):
            yield from _shape(inner)
    elif getattr(shape, "has_table", False):
        yield _table(shape.table)
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)
    elif shape.has_text_frame:
        if not _is_furniture(shape):
            yield from _paragraphs(shape.text_frame, listed=shape.is_placeholder)
    else:
        names = [child for child in shape.element.iter() if local_name(child) == "cNvPr"]
        described = flat(names[0].get("descr") or "") if names else ""
        if described and not _FILE_NAME.search(described):
            yield paragraph(described)


def _is_furniture(shape: Any) -> bool:
    """Date, footer and number: what every slide repeats."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    repeated = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER}
    return bool(shape.is_placeholder) and shape.placeholder_format.type in repeated


def _paragraphs(frame: Any, *, listed: bool) -> Iterator[str]:
    """The paragraphs of a text frame. Several in a placeholder are shown with bullets, and so are lower levels."""
    lines = [(line, flat(line.text.translate(_LINE_BREAKS))) for line in frame.paragraphs]
    lines = [(line, text) for line, text in lines if text]
    counted: dict[int, tuple[_Numbering, int]] = {}
    for line, text in lines:
        numbering = _numbering(line, frame)
        # An item goes on with the count of its level; one of another kind, or none, ends it, and so does a higher one.
        before = counted.get(line.level)
        counted = {level: count for level, count in counted.items() if level < line.level}
        if numbering:
            number = before[1] + 1 if before and before[0] == numbering else numbering[1]
            counted[line.level] = (numbering, number)
            yield f"{'  ' * line.level}{_numbered(number, numbering[0])} {text}"
        else:
            yield f"{'  ' * line.level}- {text}" if (listed and len(lines) > 1) or line.level else paragraph(text)


def _numbering(line: Any, frame: Any) -> _Numbering | None:
    """How a paragraph is numbered, by itself or by the style of its level in this text frame; None when it is not."""
    styles = (e for style in frame._element if local_name(style) == "lstStyle" for e in style)
    own = [e for e in line._element if local_name(e) == "pPr"]
    for properties in own + [e for e in styles if local_name(e) == f"lvl{line.level + 1}pPr"]:
        for mark in properties:
            if local_name(mark) == "buAutoNum":
                return mark.get("type", "arabicPeriod"), int(mark.get("startAt", "1"))
            if local_name(mark) in {"buNone", "buChar", "buBlip"}:
                return None
    return None


def _numbered(number: int, kind: str) -> str:
    """The number in one of the schemes of ECMA-376 part 1, 20.1.10.61: 'alphaLcParenR' is 'a)'."""
    format = next((name for start, name in _SCHEMES.items() if kind.startswith(start)), "decimal")
    text = format_number(number, format)
    around = next((around for end, around in _AROUND.items() if kind.endswith(end)), "{}")
    return around.format(text)


def _table(placed: Any) -> str:
    grid = Grid()
    for row, cells in enumerate(placed.rows):
        for column, cell in enumerate(cells.cells):
            if not cell.is_spanned:
                grid.put(row, column, cell.text)
            if cell.is_merge_origin:
                grid.spans.append(Span(row, column, row + cell.span_height - 1, column + cell.span_width - 1))
    return to_markdown(grid.without_blank_rows())


def _chart(chart: Any) -> Iterator[str]:
    """A chart as the table it was drawn from."""
    if chart.has_title and chart.chart_title.has_text_frame and flat(chart.chart_title.text_frame.text):
        yield paragraph(chart.chart_title.text_frame.text)
    for plot in chart.plots:
        names = [str(category) for category in plot.categories]
        columns = [["", *names]]
        for series in plot.series:
            code = next(
                (e.text or "" for v in series._element if local_name(v) == "val" for e in v.iter() if _is_code(e)), ""
            )
            values = ("" if value is None else format_cell(value, code) for value in series.values)
            columns.append([series.name or "", *values])
        height = max(map(len, columns))
        rows = [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]
        if height > 1:
            yield markdown_table(rows)


def _is_code(element: Any) -> bool:
    return local_name(element) == "formatCode"


def _diagrams(slide: Any) -> Iterator[str]:
    """The text of SmartArt, which lies in a part of its own."""
    for relation in slide.part.rels.values():
        if relation.reltype.endswith(_DIAGRAM) and not relation.is_external:
            points = (e for e in parse_xml(relation.target_part.blob).iter() if local_name(e) == "pt")
            texts = (flat("".join(t.text or "" for t in point.iter() if local_name(t) == "t")) for point in points)
            yield from (f"- {text}" for text in texts if text)
