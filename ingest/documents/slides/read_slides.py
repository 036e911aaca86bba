"""PowerPoint presentations (pptx, ECMA-376 part 1, 19 to 21) as Markdown: title, text, tables, charts, notes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.base.types import Page
from ingest.documents.office.package import (
    children,
    descendants,
    local_name,
    open_package,
    parse_xml,
    refuse_declarations,
)
from ingest.documents.sheets.number_format import format_cell
from ingest.documents.structure.markdown import flat, heading, join, markdown_table, paragraph
from ingest.documents.structure.numbering import format_number
from ingest.documents.structure.tables import Grid, Span, to_markdown

_LINE_BREAKS = str.maketrans({"\v": " ", "\n": " "})
# How a paragraph is numbered: (scheme, first number).
_Numbering = tuple[str, int]
_SCHEMES = {
    **{"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman"},
    **{"circleNum": "decimalEnclosedCircle", "ea1": "chineseCounting"},
}
_AROUND = {"ParenBoth": "({})", "ParenR": "{})", "Period": "{}."}
_DIAGRAM = "/diagramData"
# Picture descriptions that a program wrote.
_FILE_NAME = re.compile(r"\.(png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)$", re.IGNORECASE)
# Tops of shapes side by side differ by less than this: a tenth of an inch, in English Metric Units.
_SAME_LINE = 91_440


def read_pptx(data: bytes) -> list[Page]:
    """One page for each slide, labelled 'slide 1', …

    Raises ReadError for a zip bomb or XML entities, other errors for a damaged file.
    """
    from pptx import Presentation

    refuse_declarations(open_package(data))
    slides = Presentation(io.BytesIO(data)).slides
    return [Page(f"slide {number}", _slide(slide)) for number, slide in enumerate(slides, start=1)]


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    blocks: list[str] = []
    if title is not None and flat(title.text_frame.text):
        blocks.append(heading(1, title.text_frame.text))
    for shape in _in_reading_order(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            blocks.extend(_shape(shape))
    blocks.extend(_diagrams(slide))
    # python-pptx creates a notes slide when `notes_slide` is read and none exists.
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        blocks += [heading(3, "Notes"), *_paragraphs(notes, in_placeholder=False)]
    return join(blocks)


def _in_reading_order(shapes: Iterable[Any]) -> list[Any]:
    """The shapes from top to bottom, those side by side from left to right.

    Where a shape has no position or all are placeholders, the order is the document's: that of the slide layout, which
    puts two columns one after the other.
    """
    ordered = list(shapes)
    if any(shape.top is None or shape.left is None for shape in ordered) or all(s.is_placeholder for s in ordered):
        return ordered
    lines: list[list[Any]] = []
    for shape in sorted(ordered, key=lambda shape: int(shape.top)):
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
            yield from _paragraphs(shape.text_frame, in_placeholder=shape.is_placeholder)
    else:
        properties = next(descendants(shape.element, "cNvPr"), None)
        description = flat(properties.get("descr") or "") if properties is not None else ""
        if description and not _FILE_NAME.search(description):
            yield paragraph(description)


def _is_furniture(shape: Any) -> bool:
    """Whether the shape is a date, header, footer or number, which every slide repeats."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    repeated = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER}
    return bool(shape.is_placeholder) and shape.placeholder_format.type in repeated


def _paragraphs(frame: Any, *, in_placeholder: bool) -> Iterator[str]:
    """The paragraphs of a text frame, with bullets before several in a placeholder and before lower levels."""
    lines = [(line, flat(line.text.translate(_LINE_BREAKS))) for line in frame.paragraphs]
    lines = [(line, text) for line, text in lines if text]
    counts: dict[int, tuple[_Numbering, int]] = {}
    for line, text in lines:
        numbering = _numbering(line, frame)
        # A paragraph continues the count of its level. Another numbering, none, or a higher level ends the count.
        previous = counts.get(line.level)
        counts = {level: count for level, count in counts.items() if level < line.level}
        if numbering:
            number = previous[1] + 1 if previous and previous[0] == numbering else numbering[1]
            counts[line.level] = (numbering, number)
            yield f"{'  ' * line.level}{_numbered(number, numbering[0])} {text}"
        else:
            yield (
                f"{'  ' * line.level}- {text}" if (in_placeholder and len(lines) > 1) or line.level else paragraph(text)
            )


def _numbering(line: Any, frame: Any) -> _Numbering | None:
    """The numbering of a paragraph, its own or that of its level in the text frame; None when it has none."""
    of_paragraph = children(line._element, "pPr")
    of_level = (e for style in children(frame._element, "lstStyle") for e in children(style, f"lvl{line.level + 1}pPr"))
    for properties in (*of_paragraph, *of_level):
        for mark in properties:
            if local_name(mark) == "buAutoNum":
                return mark.get("type", "arabicPeriod"), int(mark.get("startAt", "1"))
            if local_name(mark) in {"buNone", "buChar", "buBlip"}:
                return None
    return None


def _numbered(number: int, scheme: str) -> str:
    """The number in one of the schemes of ECMA-376 part 1, 20.1.10.61: 'alphaLcParenR' is 'a)'."""
    format = next((name for start, name in _SCHEMES.items() if scheme.startswith(start)), "decimal")
    text = format_number(number, format)
    around = next((around for end, around in _AROUND.items() if scheme.endswith(end)), "{}")
    return around.format(text)


def _table(table: Any) -> str:
    grid = Grid()
    for row, cells in enumerate(table.rows):
        for column, cell in enumerate(cells.cells):
            if not cell.is_spanned:
                grid.put(row, column, cell.text)
            if cell.is_merge_origin:
                grid.spans.append(Span(row, column, row + cell.span_height - 1, column + cell.span_width - 1))
    return to_markdown(grid.without_blank_rows())


def _chart(chart: Any) -> Iterator[str]:
    """A chart as its title and the table of its values."""
    if chart.has_title and chart.chart_title.has_text_frame and flat(chart.chart_title.text_frame.text):
        yield paragraph(chart.chart_title.text_frame.text)
    for plot in chart.plots:
        names = [str(category) for category in plot.categories]
        columns = [["", *names]]
        for series in plot.series:
            codes = (code.text or "" for v in children(series._element, "val") for code in descendants(v, "formatCode"))
            code = next(codes, "")
            values = ("" if value is None else format_cell(value, code) for value in series.values)
            columns.append([series.name or "", *values])
        height = max(map(len, columns))
        rows = [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]
        if height > 1:
            yield markdown_table(rows)


def _diagrams(slide: Any) -> Iterator[str]:
    """The text of SmartArt, which the package stores in a separate part."""
    for relation in slide.part.rels.values():
        if relation.reltype.endswith(_DIAGRAM) and not relation.is_external:
            points = descendants(parse_xml(relation.target_part.blob), "pt")
            texts = (flat("".join(run.text or "" for run in descendants(point, "t"))) for point in points)
            yield from (f"- {text}" for text in texts if text)
