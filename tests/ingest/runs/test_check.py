"""Is the library whole? Every planted damage is found, and a whole library has none."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
import tantivy

from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.runs.check import check
from ingest.runs.rebuild import rebuild
from ingest.search.indexes.search_index import INDEX_FOLDER, SearchIndex
from ingest.search.indexes.snapshot_files import CURRENT, MANIFEST, point_to
from ingest.search.indexes.working_copy import WorkingCopy
from ingest.store.catalog import CATALOG_FILE
from ingest.sync import ingest

pytestmark = pytest.mark.usefixtures("in_process_readers")


@pytest.fixture
def whole(ingested_office: Path, settings: Settings) -> Path:  # noqa: ARG001 - it fills the library
    """A library in which nothing is wrong."""
    assert check(settings.home) == []
    return settings.home


def change(home: Path, statement: str, *values: object) -> None:
    """Change the catalog behind everybody's back."""
    connection = sqlite3.connect(home / CATALOG_FILE)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def snapshot(home: Path) -> Path:
    return home / INDEX_FOLDER / (home / INDEX_FOLDER / CURRENT).read_text()


def test_vector_changed_in_the_catalog(whole: Path) -> None:
    """A vector that is not the one FAISS searches is found by its passage's number."""
    vector = np.zeros(384, np.float32)
    change(whole, "UPDATE passages SET vector = ? WHERE id = 2", vector.tobytes())
    assert check(whole) == ["FAISS and the catalog have different vectors for 1 passages (2): run `docent rebuild`."]


def test_an_index_of_another_version_is_built_again(whole: Path, office: Path, settings: Settings) -> None:
    """Its terms are others, so nothing of it is used; that is no problem, and the next run publishes a new one."""
    old = snapshot(whole)
    manifest = json.loads((old / MANIFEST).read_text())
    (old / MANIFEST).write_text(json.dumps(manifest | {"format": manifest["format"] - 1}))
    assert check(whole) == []
    assert snapshot(whole) == old
    assert ingest([office], settings).unchanged == 4
    assert json.loads((snapshot(whole) / MANIFEST).read_text())["format"] == manifest["format"]
    assert snapshot(whole) != old
    assert check(whole) == []


def test_vector_of_the_wrong_length(whole: Path) -> None:
    """So is half a vector."""
    change(whole, "UPDATE passages SET vector = substr(vector, 1, 80) WHERE id = 3")
    assert check(whole) == ["FAISS and the catalog have different vectors for 1 passages (3): run `docent rebuild`."]


def test_passage_deleted_behind_the_index(whole: Path, settings: Settings) -> None:
    """Both indexes still have what the record no longer has; a rebuild repairs it."""
    change(whole, "DELETE FROM passages WHERE id = 1")
    assert check(whole) == [
        "1 documents have text but no passages (1): run `docent rebuild`.",
        "FAISS still has 1 passages (1): run `docent rebuild`.",
        "Tantivy still has 1 passages (1): run `docent rebuild`.",
    ]
    rebuild(settings)
    assert check(whole) == []


def test_tantivy_lacks_one(whole: Path) -> None:
    """A passage that only Tantivy lacks, and another it has instead, are both named."""
    words = tantivy.Index.open(str(snapshot(whole) / "words"))
    writer = words.writer(heap_size=20_000_000, num_threads=1)
    writer.delete_documents_by_query(tantivy.Query.term_set_query(words.schema, "id", [2]))
    stray = tantivy.Document()
    stray.add_unsigned("id", 77)
    stray.add_unsigned("digest", 0)
    writer.add_document(stray)
    writer.commit()
    writer.wait_merging_threads()
    changed, *problems = check(whole)
    assert changed.startswith("index: files were changed after they were written (words/")
    assert problems == [
        "Tantivy lacks 1 passages (2): run `docent rebuild`.",
        "Tantivy still has 1 passages (77): run `docent rebuild`.",
    ]


def test_faiss_lacks_one_and_has_another_twice(whole: Path) -> None:
    """The number of passages is right and yet two things are wrong."""
    path = str(snapshot(whole) / "vectors.faiss")
    vectors = faiss.read_index(path)
    twice = vectors.reconstruct(1).reshape(1, -1)
    vectors.remove_ids(np.array([4], np.int64))
    vectors.add_with_ids(twice, np.array([1], np.int64))
    faiss.write_index(vectors, path)
    assert check(whole) == [
        "index: files were changed after they were written (vectors.faiss): run `docent rebuild`.",
        "FAISS lacks 1 passages (4): run `docent rebuild`.",
        "FAISS holds a passage more than once: run `docent rebuild`.",
    ]


def words_in_the_place_of(whole: Path, removed: int) -> None:
    """Publish an index in which passage 2 has other words, once more than before, and `removed` is not."""
    index = SearchIndex(whole / INDEX_FOLDER, 384, card_of(whole)["fingerprint"])
    copy = WorkingCopy(index.snapshot, index.folder)
    copy._bm25.remove(np.array([removed]))
    copy._bm25.add(2, ["something", "else"])
    version = copy.commit(index.snapshot.version).version
    point_to(index.folder, copy.save(version).name)


def test_tantivy_has_anothers_words(whole: Path, settings: Settings) -> None:
    """The number is right and the words are another passage's; a rebuild repairs it."""
    words_in_the_place_of(whole, 2)
    assert check(whole) == ["Tantivy and the catalog have different words for 1 passages (2): run `docent rebuild`."]
    rebuild(settings)
    assert check(whole) == []


def test_tantivy_has_one_twice(whole: Path) -> None:
    """Right in number of ids, wrong in passages."""
    words_in_the_place_of(whole, 4)
    assert check(whole) == [
        "Tantivy lacks 1 passages (4): run `docent rebuild`.",
        "Tantivy holds passages more than once (2): run `docent rebuild`.",
    ]


def test_a_byte_of_the_index_on_disk(whole: Path) -> None:
    """One flipped byte in a file of the snapshot is found, whatever it stands for."""
    path = next((snapshot(whole) / "words").glob("*.pos"), None) or next((snapshot(whole) / "words").glob("*.term"))
    # In place and no shorter: Tantivy's threads may still have the file mapped.
    with path.open("r+b") as file:
        offset = path.stat().st_size // 3
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    problems = check(whole)
    assert problems
    assert all(problem.startswith("index: ") for problem in problems)


def test_text_changed_in_the_catalog(whole: Path) -> None:
    """A passage that is not what stands in its document at its place is named, and that its words are others."""
    change(whole, "UPDATE passages SET text = 'something else' WHERE id = 1")
    assert check(whole) == [
        "1 passages differ from the part of the document they name (1): run `docent rebuild`.",
        "Tantivy and the catalog have different words for 1 passages (1): run `docent rebuild`.",
    ]


def test_offsets_out_of_place(whole: Path, settings: Settings) -> None:
    """Offsets that point elsewhere, or outside, are named; a rebuild repairs them."""
    change(whole, "UPDATE passages SET start_offset = start_offset + 1, end_offset = end_offset - 1 WHERE id = 2")
    change(whole, "UPDATE passages SET end_offset = 99999 WHERE id = 3")
    assert check(whole) == [
        "2 passages differ from the part of the document they name (2, 3): run `docent rebuild`.",
    ]
    rebuild(settings)
    assert check(whole) == []


def test_document_without_passages(whole: Path, settings: Settings) -> None:
    """A document that has text and cannot be found is named; a rebuild repairs it."""
    change(whole, "DELETE FROM passages WHERE document_id = 3")
    assert check(whole)[0] == "1 documents have text but no passages (3): run `docent rebuild`."
    rebuild(settings)
    assert check(whole) == []


def test_quarantined_document_with_passages(whole: Path) -> None:
    """What should not be answered from has no passages."""
    change(whole, "UPDATE documents SET state = 'quarantined' WHERE id = 3")
    assert check(whole) == ["1 documents have passages but should not (3): run `docent rebuild`."]


def test_snapshot_gone(whole: Path, office: Path, settings: Settings) -> None:
    """A missing index is reported, and the next ingest builds it again."""
    shutil.rmtree(whole / INDEX_FOLDER)
    (problem,) = check(whole)
    assert "no usable snapshot" in problem
    assert "`docent ingest`" in problem
    ingest([office], settings)
    assert check(whole) == []


def test_embedder_missing(whole: Path) -> None:
    """It is named, with what to do."""
    (whole / EMBEDDERS_FOLDER).unlink()
    (problem,) = check(whole)
    assert problem.startswith("embedder: ")
    assert "`docent rebuild`" in problem


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("how", ["cut short", "a byte"])
def test_damaged_embedder_is_repaired_by_a_rebuild(
    whole: Path, settings: Settings, embedders_folder: Path, how: str
) -> None:
    """Every byte of the embedder is compared with its checksums, and what `check` advises does repair it."""
    (whole / EMBEDDERS_FOLDER).unlink()
    fingerprint = card_of(whole)["fingerprint"]
    shutil.copytree(embedders_folder / fingerprint, whole / EMBEDDERS_FOLDER / fingerprint)
    assert check(whole) == []
    weights = whole / EMBEDDERS_FOLDER / fingerprint / "model.bin"
    content = weights.read_bytes()
    weights.write_bytes(b"garbage" if how == "cut short" else content[:5000] + b"?" + content[5001:])
    (problem,) = check(whole)
    assert problem.startswith("embedder: files in ")
    assert problem.endswith("were changed after they were written (model.bin): run `docent rebuild`.")
    rebuild(settings)
    assert check(whole) == []
    assert weights.read_bytes() == content


def card_of(home: Path) -> dict[str, Any]:
    """The embedder that the library was made with."""
    connection = sqlite3.connect(home / CATALOG_FILE)
    (card,) = connection.execute("SELECT embedder FROM generations").fetchone()
    connection.close()
    found: dict[str, Any] = json.loads(card)
    return found


def test_damaged_catalog(whole: Path) -> None:
    """A damaged record is named with what to do; there is nothing to compare it with."""
    path = whole / CATALOG_FILE
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\x55" * 4096 + data[12288:])
    problems = check(whole)
    assert problems
    for problem in problems:
        assert problem.startswith("catalog: ")
        assert problem.endswith("aside and run `docent ingest` again.")


def test_no_library(home: Path) -> None:
    """There is nothing to check where nothing was made."""
    with pytest.raises(DocentError, match="There is no library"):
        check(home)


def test_checking_changes_nothing(whole: Path) -> None:
    """Not even the time of a file."""
    change(whole, "DELETE FROM passages WHERE id = 1")

    def state() -> dict[str, tuple[int, int]]:
        files = [path for path in (whole / INDEX_FOLDER).rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in [*files, whole / CATALOG_FILE]}

    before = state()
    assert check(whole) != []
    assert state() == before
