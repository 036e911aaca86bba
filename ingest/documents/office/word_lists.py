"""How the lists of a docx count: its numbering part (ECMA-376 part 1, 17.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.documents.office.package import attribute, local, whole_number
from ingest.documents.structure.numbering import Counter, Level


def list_counters(numbering: Any) -> Iterator[tuple[str, Counter]]:
    """(list, its counter) of each list in the numbering part, given its root element, or nothing where there is none.

    Lists of the same definition go on counting together; one that starts anew does so where it is first used.
    """
    levels = {
        attribute(e, "abstractNumId"): {whole_number(lvl, "ilvl", 0): _level(lvl) for lvl in e if local(lvl) == "lvl"}
        for e in numbering
        if local(e) == "abstractNum"
    }
    shared: dict[str, dict[int, int]] = {}
    for element in numbering:
        if local(element) != "num":
            continue
        abstract = next((attribute(child, "val") for child in element if local(child) == "abstractNumId"), "")
        own, starts = dict(levels.get(abstract, {})), {}
        for override in (child for child in element if local(child) == "lvlOverride"):
            depth = whole_number(override, "ilvl", 0)
            for child in override:
                if local(child) == "lvl":
                    own[depth] = _level(child)
                elif local(child) == "startOverride":
                    starts[depth] = whole_number(child, "val", 1)
        yield attribute(element, "numId"), Counter(own, shared.setdefault(abstract, {}), starts)


def _level(element: Any) -> Level:
    values = {local(child): attribute(child, "val") for child in element}
    return Level(
        values.get("numFmt", "decimal"), values.get("lvlText", ""), int(values.get("start", "1")), "isLgl" in values
    )
