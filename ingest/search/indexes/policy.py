"""The refresh policy: what a process does with its index when the catalog may have changed."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.search.indexes.snapshot import IndexVersion


@dataclass(frozen=True)
class Keep:
    """The index agrees with the catalog."""


@dataclass(frozen=True)
class OpenSnapshot:
    """Open the published snapshot, which is newer than the index."""


@dataclass(frozen=True)
class ApplyChanges:
    """Add and remove the passages that differ from the catalog's."""


@dataclass(frozen=True)
class Rebuild:
    """Build the index from the catalog's passages again; `reason` is for the log."""

    reason: str


Action = Keep | OpenSnapshot | ApplyChanges | Rebuild


@dataclass(frozen=True)
class HeldIndex:
    """The index of a process: its version, whether its BM25 is only in memory, and whether it can be changed.

    It cannot be changed after an interrupted change: it has then neither a working copy nor a published folder to copy.
    """

    version: IndexVersion
    in_memory: bool = False
    changeable: bool = True


def decide(catalog: IndexVersion, published: int, held: HeldIndex) -> Action:
    """The action that brings the held index up to date with the catalog.

    `published` is the revision of the published snapshot; -1 when none exists, or when opening it has failed. An index
    whose BM25 is in memory is replaced by any snapshot at least as new, any other index only by a newer one.
    """
    if catalog == held.version:
        return Keep()
    other_lineage = held.version.revision >= 0 and catalog.lineage != held.version.lineage
    newer = published >= held.version.revision + (0 if held.in_memory else 1)
    if published >= 0 and (other_lineage or newer):
        return OpenSnapshot()
    if other_lineage:
        return Rebuild("the catalog was restored from a backup")
    if not held.changeable:
        return Rebuild("the last change was interrupted")
    return ApplyChanges()
