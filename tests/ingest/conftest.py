"""What the tests of ingestion ask of a report and of a library."""

from __future__ import annotations

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.runs.report import IngestReport
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ListedDocument


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.removed


def texts_of(settings: Settings) -> dict[str, str]:
    """Name → text of every document in the library."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    texts = {document.name: catalog.content(document.id).text for document in catalog.documents()}
    catalog.close()
    return texts


def first_found(settings: Settings, question: str) -> str:
    """The name of the document that is found first."""
    library = Library(settings.home)
    hits = library.search(question, 1)
    library.close()
    return hits[0].path if hits else ""


def listed(settings: Settings) -> dict[str, ListedDocument]:
    """Name → what the library says of every document."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    documents = {document.name: document for document in catalog.listed()}
    catalog.close()
    return documents
