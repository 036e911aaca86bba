"""The order in which the parts of a page are read: columns before rows.

A page is cut where white space runs down between boxes on both sides (a simple form of the recursive X-Y cut of
Nagy and Seth, 1984). Lines that cross the white space, such as a title over two columns, divide the page into
bands that are read one after the other. Two neighbours are columns when both hold running text, or when the file
draws one after the other, or when their lines are at different heights; otherwise they are cells of a table.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import median

from ingest.documents.pdf.layout.boxes import Box, text_width

# The page is divided into this many strips, and white space is looked for in each.
_STRIPS = 160
# With fewer lines on one side, columns cannot be distinguished from cells.
_COLUMN_LINES = 3
# Lines of running text in a narrow column are at least this wide, in letters.
_PROSE_WIDTH = 22
# White space across both sides, in heights of a line, that separates a table from the columns around it.
_BAND_GAP = 0.9
# Two lines are level when their middles differ by less than this share of their height; lines of columns rarely are.
_LEVEL = 0.3
_RARELY_LEVEL = 0.25
# How often the file changes from one side to the other, as a share of the lines: 0 for columns, 1 for cells.
_ONE_AFTER_THE_OTHER = 0.2
# A box is cut at a gap this wide, in heights of a line, when the gap is this near to the white space.
_GUTTER = 0.4
_NEAR_GUTTER = 0.5


def regions(boxes: list[Box]) -> list[list[Box]]:
    """The boxes in groups, in reading order; the lines of a group are read one after the other."""
    for middle in _gutters(boxes):
        bands = _bands(_cut_at(boxes, middle), middle)
        if any(columns for _, _, columns in bands):
            return _read(bands)
    return [boxes]


def _cut_at(boxes: list[Box], middle: float) -> list[Box]:
    if not any(box.left < middle < box.right and box.gaps for box in boxes):
        return boxes
    lefts = [box.left for box in boxes if box.left > middle - _NEAR_GUTTER * box.height]
    return [piece for box in boxes for piece in (_cut(box, middle, lefts) if box.left < middle < box.right else [box])]


def _cut(box: Box, middle: float, lefts: list[float]) -> list[Box]:
    """The box, or its two pieces where it reaches over white space between columns.

    Text recognition often takes level lines of two narrow columns for one. At the white space the words are far apart,
    and the second piece begins where other lines do.
    """
    near = _NEAR_GUTTER * box.height
    for at, end, start in box.gaps:
        beside = sum(abs(left - start) < 2 * near for left in lefts)
        if start - end > _GUTTER * box.height and end - near < middle < start + near and beside >= _COLUMN_LINES:
            later_gaps = tuple((index - at, left, right) for index, left, right in box.gaps if index > at)
            first = replace(box, text=box.text[:at].rstrip(), right=end, gaps=tuple(g for g in box.gaps if g[0] < at))
            return [first, replace(box, text=box.text[at:], left=start, gaps=later_gaps)]
    return [box]


def _read(bands: list[tuple[list[Box], list[Box], bool]]) -> list[list[Box]]:
    groups: list[list[Box]] = []
    for number, (left, right, columns) in enumerate(bands):
        if columns:
            groups += regions(left) + regions(right)
        elif number and not bands[number - 1][2]:
            groups[-1] += left + right
        else:
            groups.append(left + right)
    return groups


def _gutters(boxes: list[Box]) -> list[float]:
    """At most three x positions that fewer boxes cross than on both sides of them, the clearest first."""
    if len(boxes) < 2 * _COLUMN_LINES:
        return []
    start, end = min(box.left for box in boxes), max(box.right for box in boxes)
    step = (end - start) / _STRIPS
    if step <= 0:
        return []
    changes = [0] * (_STRIPS + 2)
    for box in boxes:
        changes[int((box.left - start) / step)] += 1
        changes[int((box.right - start) / step) + 1] -= 1
    cover, now = [], 0
    for change in changes[:_STRIPS]:
        now += change
        cover.append(now)
    highest_right = [0] * (_STRIPS + 1)
    for strip in range(_STRIPS - 1, -1, -1):
        highest_right[strip] = max(highest_right[strip + 1], cover[strip])
    gutters: list[tuple[int, int, float]] = []  # depth, width, middle
    highest_left = strip = 0
    while strip < _STRIPS:
        last = strip
        while last + 1 < _STRIPS and cover[last + 1] == cover[strip]:
            last += 1
        depth = min(highest_left, highest_right[last + 1]) - cover[strip]
        if depth >= _COLUMN_LINES:
            gutters.append((depth, last - strip, start + (strip + last + 1) / 2 * step))
        highest_left = max(highest_left, cover[strip])
        strip = last + 1
    return [middle for _, _, middle in sorted(gutters, reverse=True)[:3]]


def _bands(boxes: list[Box], middle: float) -> list[tuple[list[Box], list[Box], bool]]:
    """(left, right, whether they are columns) from top to bottom; a line across both sides is a band by itself."""
    bands: list[tuple[list[Box], list[Box], bool]] = []
    band: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.middle):
        if box.left < middle < box.right:
            bands += _split_band(band, middle)
            bands.append(([box], [], False))
            band = []
        else:
            band.append(box)
    return bands + _split_band(band, middle)


def _split_band(band: list[Box], middle: float) -> list[tuple[list[Box], list[Box], bool]]:
    if not band:
        return []
    parts: list[list[Box]] = [[]]
    lowest = band[0].bottom
    gap = _BAND_GAP * median(box.height for box in band)
    for box in band:
        if box.top < lowest - gap:
            parts.append([])
        parts[-1].append(box)
        lowest = min(lowest, box.bottom)
    sides = [
        ([box for box in part if box.right <= middle], [box for box in part if box.left >= middle]) for part in parts
    ]
    verdicts = [_are_columns(left, right) for left, right in sides]
    if all(verdict is None for verdict in verdicts):
        left, right = [box for side, _ in sides for box in side], [box for _, side in sides for box in side]
        return [(left, right, bool(_are_columns(left, right)))]
    bands: list[tuple[list[Box], list[Box], bool]] = []
    current = next(verdict for verdict in verdicts if verdict is not None)
    for (left, right), verdict in zip(sides, verdicts, strict=True):
        current = current if verdict is None else verdict
        if bands and bands[-1][2] == current:
            bands[-1] = (bands[-1][0] + left, bands[-1][1] + right, current)
        else:
            bands.append((left, right, current))
    return bands


def _are_columns(left: list[Box], right: list[Box]) -> bool | None:
    """Whether two neighbours are read one after the other; None when there are too few lines to decide."""
    fewer, more = sorted((left, right), key=len)
    if len(fewer) < _COLUMN_LINES:
        return None
    if _is_prose(left) and _is_prose(right):
        return True
    level = sum(any(abs(box.middle - other.middle) < _LEVEL * box.height for other in more) for box in fewer) / len(
        fewer
    )
    drawn = sorted([(box.order, 0) for box in left] + [(box.order, 1) for box in right])
    if drawn[0][0] == drawn[-1][0]:  # text recognition gives no order: only heights decide
        return level < _RARELY_LEVEL
    turns = sum(before[1] != after[1] for before, after in pairwise(drawn)) / (2 * len(fewer))
    return (turns <= _ONE_AFTER_THE_OTHER and level < 0.9) or (turns <= 0.6 and level < 0.5)


def _is_prose(boxes: list[Box]) -> bool:
    return len(boxes) >= _COLUMN_LINES and median(text_width(box.text) for box in boxes) >= _PROSE_WIDTH
