"""The passages around a hit in its section, and one text that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.base.language import begins_own_line
from ingest.base.types import Passage
from ingest.store.catalog import Catalog


@dataclass(frozen=True)
class Neighbour(Passage):
    """A passage of the catalog, with its id and that of its document."""

    passage_id: int
    document_id: int


@dataclass(frozen=True)
class Joined:
    """The place of a passage in the joined text: `lead` followed by `text[start:end]` is the text of the passage.

    `lead` is the header row of a table, '' without one: each passage of the table has it, the joined text only once.
    """

    passage: Neighbour
    start: int
    end: int
    lead: str


def neighbours(catalog: Catalog, passage_ids: Sequence[int], reach: int) -> list[Neighbour]:
    """These passages and up to `reach` before and after each under the same heading, each once.

    In the order of documents and of reading; ids that are no longer in the catalog are left out.
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
    """Join passages that follow each other in a document. Returns the text, and the place of each passage in it.

    The white space between two passages is not stored: it becomes a space, or the line breaks that Markdown needs.
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
        lead, body = passage.text[:repeated], passage.text[repeated:]
        text += _between(before, passage, body)
        joined.append(Joined(passage, len(text), len(text) + len(body), lead))
        text += body
    return text, joined


def _between(before: Neighbour, after: Neighbour, body: str) -> str:
    """The white space between two passages; `body` is the text of `after` without its `lead`."""
    gap = after.start - before.end
    if gap <= 0:
        return ""
    if body.startswith("|") and before.text.rsplit("\n", 1)[-1].startswith("|"):
        return "\n"
    if gap > 1 or before.page != after.page:
        return "\n\n"
    return "\n" if begins_own_line(body) else " "
