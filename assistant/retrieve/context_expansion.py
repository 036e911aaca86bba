"""The passages found, each with the section around it: neighbours become one source, and no text stands in two.

`assistant.answer.prompt` takes of a source what fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.events import EvidenceSentence, Part, Source
from ingest.search.neighbours import Neighbour, join, neighbours
from ingest.store.catalog import Catalog

# Passages before and after the ones found that come along, if they stand under the same heading: with those of about
# 200 tokens that the bundled embedder reads, a page or so. The whole of a long section would be a chapter.
REACH = 2


def expand_context(found: Sequence[Source], catalog: Catalog) -> tuple[Source, ...]:
    """One source for each run of neighbours among these passages, best first and numbered anew.

    `found` are single passages, best first. Passages of one section that follow each other become one source; then
    each, best first, takes in up to `REACH` passages before and after that no other has. Those of another heading stay
    apart, because a heading says what a passage is about.
    """
    near = {
        (one.document_id, one.ordinal): one for one in neighbours(catalog, [one.passage_id for one in found], REACH)
    }
    places = {one.passage_id: place for place, one in near.items()}
    runs = {places[source.passage_id] for source in found if source.passage_id in places}
    taken = set(runs)
    sources: list[Source] = []
    told: set[int] = set()
    for source in found:
        if source.passage_id in told:
            continue
        if source.passage_id not in places:  # it has left the catalog since it was found
            sources.append(replace(source, n=len(sources) + 1))
            continue
        document, ordinal = places[source.passage_id]
        first = last = ordinal
        while (document, first - 1) in runs and _same_section(near, document, first - 1, ordinal):
            first -= 1
        while (document, last + 1) in runs and _same_section(near, document, last + 1, ordinal):
            last += 1
        core = range(first, last + 1)
        told |= {near[document, place].passage_id for place in core}
        for _ in range(REACH):
            if _free(near, taken, document, last + 1, ordinal):
                last += 1
                taken.add((document, last))
            if _free(near, taken, document, first - 1, ordinal):
                first -= 1
                taken.add((document, first))
        run = [near[document, place] for place in range(first, last + 1)]
        sources.append(_joined(source, len(sources) + 1, run, core))
    return tuple(sources)


def relocated(
    sentences: Sequence[EvidenceSentence], found: Sequence[Source], sources: Sequence[Source]
) -> tuple[EvidenceSentence, ...]:
    """The same sentences where they stand in `sources`, which `with_sections` made of `found`."""
    passages = {source.n: source.passage_id for source in found}
    places = {part.passage_id: (source.n, part) for source in sources for part in source.passages}
    moved = []
    for sentence in sentences:
        n, part = places[passages[sentence.n]]
        shift = part.start - len(part.lead)
        moved.append(replace(sentence, n=n, start=sentence.start + shift, end=sentence.end + shift))
    return tuple(moved)


def _same_section(near: dict[tuple[int, int], Neighbour], document: int, ordinal: int, other: int) -> bool:
    return near[document, ordinal].heading == near[document, other].heading


def _free(
    near: dict[tuple[int, int], Neighbour], taken: set[tuple[int, int]], document: int, ordinal: int, other: int
) -> bool:
    place = document, ordinal
    return place in near and place not in taken and _same_section(near, document, ordinal, other)


def _joined(best: Source, n: int, run: Sequence[Neighbour], core: range) -> Source:
    text, joined = join(run)
    parts = tuple(
        Part(one.passage.passage_id, one.passage.page, one.start, one.end, one.passage.ordinal in core, one.lead)
        for one in joined
    )
    return replace(best, n=n, text=text, parts=parts)
