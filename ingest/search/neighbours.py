"""The passages that stand around others in their section, and how they read as one text. Knows nothing of searching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.base.language import begins_own_line
from ingest.base.types import Passage
from ingest.store.catalog import Catalog


@dataclass(frozen=True)
class Neighbour(Passage):
    """A passage of the catalog, with the number it has there and its document's."""

    passage_id: int
    document_id: int


@dataclass(frozen=True)
class Joined:
    """A passage in a text of several: there it is `text[start:end]`, by itself `lead` and then that range.

    `lead` is what the passage repeats of the ones before, a table's header row, and is left out between its rows.
    """

    passage: Neighbour
    start: int
    end: int
    lead: str


def neighbours(catalog: Catalog, passage_ids: Sequence[int], reach: int) -> list[Neighbour]:
    """These passages and those up to `reach` places before and after each under the same heading, each once.

    In the order of documents and reading; ids that are gone are left out.
    """
    rows = catalog.rows(
        "SELECT DISTINCT near.ordinal, near.text, near.heading, near.page, near.start_offset, near.end_offset,"
        " near.id, near.document_id FROM passages AS found JOIN passages AS near"
        " ON near.document_id = found.document_id AND near.generation = found.generation"
        " AND near.ordinal BETWEEN found.ordinal - ? AND found.ordinal + ? AND near.heading = found.heading"
        f" WHERE found.id IN ({','.join('?' * len(passage_ids))}) ORDER BY near.document_id, near.ordinal, near.id",
        (reach, reach, *passage_ids),
    )
    return [Neighbour(*row) for row in rows]


def join(passages: Sequence[Neighbour]) -> tuple[str, list[Joined]]:
    """One text of passages that follow each other in a document, and where each of them is in it.

    What stood between two of them is only white space, and not kept: it becomes a space or as many line breaks as the
    reader needs.
    """
    text = ""
    joined: list[Joined] = []
    for passage in passages:
        if not joined:
            text, lead = passage.text, ""
            joined.append(Joined(passage, 0, len(text), lead))
            continue
        before = joined[-1].passage
        repeated = max(0, len(passage.text) - (passage.end - passage.start))
        lead, own = passage.text[:repeated], passage.text[repeated:]
        text += _between(before, passage, own)
        joined.append(Joined(passage, len(text), len(text) + len(own), lead))
        text += own
    return text, joined


def _between(before: Neighbour, after: Neighbour, own: str) -> str:
    gap = after.start - before.end
    if gap <= 0:
        return ""
    if own.startswith("|") and before.text.rsplit("\n", 1)[-1].startswith("|"):
        return "\n"
    if gap > 1 or before.page != after.page:
        return "\n\n"
    return "\n" if begins_own_line(own) else " "
