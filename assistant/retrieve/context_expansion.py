"""Context expansion: the passages retrieved, each joined with its neighbours of the same section into one source.

No passage is in two sources. `assistant.answer.prompt` takes as much of a source as fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.events import EvidenceSentence, Source, SourcePassage
from ingest.search.neighbours import Neighbour, join, neighbours
from ingest.store.catalog import Catalog

# How many passages under the same heading are added before and after those retrieved: about a page, with passages of
# about 200 tokens, which the bundled embedder reads. A whole section could be as long as a chapter.
REACH = 2
# The document's id and the passage's ordinal in it.
_Position = tuple[int, int]


def expand_context(passages: Sequence[Source], catalog: Catalog) -> tuple[Source, ...]:
    """One source for each run of adjacent passages, best first and numbered from 1.

    `passages` are single passages, best first. Adjacent passages of one section become one source. Then up to `REACH`
    passages before and after are added to each source, best source first, if no other source has them. Passages under
    different headings are not joined, because a heading says what a passage is about.
    """
    passage_ids = [source.passage_id for source in passages]
    near = {(passage.document_id, passage.ordinal): passage for passage in neighbours(catalog, passage_ids, REACH)}
    positions = {passage.passage_id: position for position, passage in near.items()}
    retrieved = {positions[passage_id] for passage_id in passage_ids if passage_id in positions}
    taken = set(retrieved)
    sources: list[Source] = []
    in_a_source: set[int] = set()
    for source in passages:
        if source.passage_id in in_a_source:
            continue
        if source.passage_id not in positions:  # it was removed from the catalog after the search
            sources.append(replace(source, n=len(sources) + 1))
            continue
        document, ordinal = positions[source.passage_id]
        first = last = ordinal
        while (document, first - 1) in retrieved and _same_section(near, document, first - 1, ordinal):
            first -= 1
        while (document, last + 1) in retrieved and _same_section(near, document, last + 1, ordinal):
            last += 1
        core = range(first, last + 1)
        in_a_source |= {near[document, number].passage_id for number in core}
        for _ in range(REACH):
            if _is_free(near, taken, document, last + 1, ordinal):
                last += 1
                taken.add((document, last))
            if _is_free(near, taken, document, first - 1, ordinal):
                first -= 1
                taken.add((document, first))
        run = [near[document, number] for number in range(first, last + 1)]
        sources.append(_joined(source, len(sources) + 1, run, core))
    return tuple(sources)


def relocated(
    sentences: Sequence[EvidenceSentence], passages: Sequence[Source], sources: Sequence[Source]
) -> tuple[EvidenceSentence, ...]:
    """The same sentences, with source numbers and offsets in `sources`, which `expand_context` made of `passages`."""
    passage_ids = {source.n: source.passage_id for source in passages}
    parts = {part.passage_id: (source.n, part) for source in sources for part in source.passages}
    moved = []
    for sentence in sentences:
        n, part = parts[passage_ids[sentence.n]]
        shift = part.start - len(part.lead)
        moved.append(replace(sentence, n=n, start=sentence.start + shift, end=sentence.end + shift))
    return tuple(moved)


def _same_section(near: dict[_Position, Neighbour], document: int, ordinal: int, other: int) -> bool:
    return near[document, ordinal].heading == near[document, other].heading


def _is_free(near: dict[_Position, Neighbour], taken: set[_Position], document: int, ordinal: int, other: int) -> bool:
    """Whether this passage exists, no source has it, and it is of the same section as `other`."""
    position = document, ordinal
    return position in near and position not in taken and _same_section(near, document, ordinal, other)


def _joined(best: Source, n: int, run: Sequence[Neighbour], core: range) -> Source:
    """The source of these adjacent passages; those numbered in `core` were retrieved, the others are context."""
    text, joined = join(run)
    parts = tuple(
        SourcePassage(
            part.passage.passage_id, part.passage.page, part.start, part.end, part.passage.ordinal in core, part.lead
        )
        for part in joined
    )
    return replace(best, n=n, text=text, parts=parts)
