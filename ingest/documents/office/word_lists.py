"""How the lists of a docx count: its numbering part (ECMA-376 part 1, 17.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.documents.office.package import attribute, children, integer_attribute, local_name
from ingest.documents.structure.numbering import Counter, Level


def list_counters(numbering: Any) -> Iterator[tuple[str, Counter]]:
    """(list id, its counter) of each list, given the root of the numbering part, or () where there is none.

    Lists of one definition share their numbers; a list with a start override restarts where it is first used.
    """
    definitions = {
        attribute(definition, "abstractNumId"): {
            integer_attribute(level, "ilvl", 0): _level(level) for level in children(definition, "lvl")
        }
        for definition in children(numbering, "abstractNum")
    }
    shared_numbers: dict[str, dict[int, int]] = {}
    for instance in children(numbering, "num"):
        abstract_id = next((attribute(child, "val") for child in children(instance, "abstractNumId")), "")
        levels, starts = dict(definitions.get(abstract_id, {})), {}
        for override in children(instance, "lvlOverride"):
            depth = integer_attribute(override, "ilvl", 0)
            for change in override:
                if local_name(change) == "lvl":
                    levels[depth] = _level(change)
                elif local_name(change) == "startOverride":
                    starts[depth] = integer_attribute(change, "val", 1)
        numbers = shared_numbers.setdefault(abstract_id, {})
        yield attribute(instance, "numId"), Counter(levels, numbers, starts)


def _level(element: Any) -> Level:
    values = {local_name(child): attribute(child, "val") for child in element}
    return Level(
        values.get("numFmt", "decimal"), values.get("lvlText", ""), int(values.get("start", "1")), "isLgl" in values
    )
