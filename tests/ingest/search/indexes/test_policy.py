"""The refresh policy: which action for which catalog, published snapshot and held index."""

from __future__ import annotations

import pytest

from ingest.search.indexes.policy import Action, ApplyChanges, HeldIndex, Keep, OpenSnapshot, Rebuild, decide
from ingest.search.indexes.snapshot import IndexVersion


def at(revision: int, embedding_set: int = 1, lineage: str = "") -> IndexVersion:
    return IndexVersion(lineage, embedding_set, revision)


NOTHING = HeldIndex(IndexVersion())
INTERRUPTED = Rebuild("the last change was interrupted")
RESTORED = Rebuild("the catalog was restored from a backup")


@pytest.mark.parametrize(
    ("catalog", "published", "held", "action"),
    [
        # The catalog is as it was, whatever is published.
        (at(5), 5, HeldIndex(at(5)), Keep()),
        (at(5), 9, HeldIndex(at(5), in_memory=True), Keep()),
        (at(5), -1, HeldIndex(at(5), changeable=False), Keep()),
        # A process that has nothing opens what there is, or begins from nothing.
        (at(5), 0, NOTHING, OpenSnapshot()),
        (at(5), 5, NOTHING, OpenSnapshot()),
        (at(5), -1, NOTHING, ApplyChanges()),
        # A newer snapshot is less work than the changes, also when it is not yet at the catalog's revision.
        (at(6), 6, HeldIndex(at(5)), OpenSnapshot()),
        (at(9), 6, HeldIndex(at(5)), OpenSnapshot()),
        (at(6), 5, HeldIndex(at(5)), ApplyChanges()),
        (at(6), 4, HeldIndex(at(5)), ApplyChanges()),
        (at(6), -1, HeldIndex(at(5)), ApplyChanges()),
        # In memory, a snapshot that is as new is better.
        (at(6), 5, HeldIndex(at(5), in_memory=True), OpenSnapshot()),
        (at(6), 4, HeldIndex(at(5), in_memory=True), ApplyChanges()),
        # Other passages of the same catalog.
        (at(5, embedding_set=2), 5, HeldIndex(at(5)), ApplyChanges()),
        # After an interrupted change there is nothing to apply changes to.
        (at(6), 6, HeldIndex(at(5), changeable=False), OpenSnapshot()),
        (at(6), 5, HeldIndex(at(5), changeable=False), INTERRUPTED),
        # After a restored backup no passage of the held index counts, and its revision says nothing.
        (at(5, lineage="restored"), 3, HeldIndex(at(5)), OpenSnapshot()),
        (at(5, lineage="restored"), -1, HeldIndex(at(5)), RESTORED),
        (at(5, lineage="restored"), -1, HeldIndex(at(5), changeable=False), RESTORED),
        (at(5, lineage="restored"), -1, NOTHING, ApplyChanges()),
    ],
)
def test_decide(catalog: IndexVersion, published: int, held: HeldIndex, action: Action) -> None:
    """Each case has one action, and it depends on nothing but these values."""
    assert decide(catalog, published, held) == action


@pytest.mark.parametrize("held", [NOTHING, HeldIndex(at(3)), HeldIndex(at(3, lineage="x"), changeable=False)])
def test_without_a_snapshot_none_is_opened(held: HeldIndex) -> None:
    """The revision -1 means that there is no snapshot, or none that can be opened: the action is never to open it."""
    for catalog in (at(0), at(4), at(4, lineage="restored")):
        assert decide(catalog, -1, held) != OpenSnapshot()
