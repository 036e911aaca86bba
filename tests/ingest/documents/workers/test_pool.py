"""The pool of reader processes: what it returns, and that a bad file costs itself alone."""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.errors import DocentError, ReadError
from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents.workers import pool
from ingest.documents.workers.pool import Limits, Readers, ReadOutcome

QUICK = Limits(seconds=2.0, memory_bytes=600_000_000, output_bytes=1_000_000)


def obedient(path: Path) -> ReadFile:
    """The function that the processes of these tests read with: it does what the file's text says."""
    text = path.read_text("utf-8")
    action, _, detail = text.partition(" ")
    match action:
        case "hang":
            time.sleep(600)
        case "crash":
            ctypes.string_at(0)
        case "vanish":
            os.kill(os.getpid(), signal.SIGKILL)
        case "swallow":
            try:
                bytearray(4_000_000_000)
            except MemoryError as error:
                raise ReadError("the file is damaged") from error
        case "babble":
            text = "x" * 2_000_000
        case "chat":
            print("not a message")
            os.write(1, b"nor is this")
        case "raise":
            raise RuntimeError("a fault of ours")
        case "refuse":
            raise ReadError("it says no: ask it nicely")
        case "grow":
            path.write_text(text + " more", "utf-8")
        case "settle":
            path.write_text("settled", "utf-8")
        case "pages":
            for _ in range(8):
                time.sleep(0.25)
                sys.audit("docent.read.page")
        case "compute":
            while True:
                sys.audit("docent.read.page")
        case "identify":
            Path(detail).write_text(str(os.getpid()), "ascii")
            time.sleep(600)
        case "wait":
            time.sleep(float(detail))
    return ReadFile((ReadDocument(path.stem, (Page("p. 1", text),)),))


OBEDIENT = "tests.ingest.documents.workers.test_pool:obedient"


def write(folder: Path, texts: dict[str, str]) -> list[Path]:
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in texts]


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """Two processes for every test that needs no limits of its own; those that a file ends are replaced."""
    with Readers(QUICK, 2, OBEDIENT) as readers:
        yield readers


def text_of(outcome: ReadOutcome) -> str:
    assert outcome.file is not None, outcome.error
    return outcome.file.documents[0].text


def test_outcomes_come_whole_and_in_the_order_asked_for(readers: Readers, tmp_path: Path) -> None:
    """Each has its own text, hash, size and time, also when the first file takes longest."""
    texts = {f"{number:02}.md": "wait 0.3" if number == 0 else f"text {number} 年假" for number in range(30)}
    paths = write(tmp_path, texts)
    outcomes = list(readers.read_all(paths))
    assert [outcome.path for outcome in outcomes] == paths
    for outcome, (name, text) in zip(outcomes, texts.items(), strict=True):
        data, status = outcome.path.read_bytes(), outcome.path.stat()
        assert outcome == ReadOutcome(
            tmp_path / name,
            hashlib.sha256(data).hexdigest(),
            status.st_size,
            status.st_mtime_ns,
            ReadFile((ReadDocument(Path(name).stem, (Page("p. 1", text),)),)),
            None,
        )


def test_a_bad_file_costs_that_file_only(readers: Readers, tmp_path: Path) -> None:
    """Whatever happens to the process that reads it: the reason is one line, and the next file is read."""
    bad = {
        "hang": "it took longer than 2 s to read: split it, or save it in another format",
        "crash": "it made its reader process crash (SIGSEGV): open and save the file again",
        "vanish": "the system ended its reader process, most likely for lack of memory: free some and run again",
        "swallow": "it needs more than 0.6 GB of memory to read: split it",
        "babble": "it gives more than 1 MB of text: split it",
        "raise": "reading it failed with an internal error: open and save it again",
        "refuse": "it says no: ask it nicely",
        "grow": "it changed while it was being read, twice: run again when nobody writes to it",
    }
    texts = {}
    for name in bad:
        texts |= {f"{name}.md": name, f"after {name}.md": f"fine after {name}"}
    outcomes = list(readers.read_all(write(tmp_path, texts)))
    assert {outcome.path.stem: outcome.error for outcome in outcomes if outcome.path.stem in bad} == bad
    good = [outcome for outcome in outcomes if outcome.path.stem not in bad]
    assert [(text_of(outcome), outcome.error) for outcome in good] == [(f"fine after {name}", None) for name in bad]


def test_a_file_that_ended_its_process_is_known_by_its_hash(readers: Readers, tmp_path: Path) -> None:
    """The caller can leave the file out until it changes."""
    (path,) = write(tmp_path, {"a.md": "crash"})
    (outcome,) = readers.read_all([path])
    assert (outcome.sha256, outcome.size) == (hashlib.sha256(b"crash").hexdigest(), 5)
    assert outcome.file is None


def test_known_content_is_not_read_again(readers: Readers, tmp_path: Path) -> None:
    """The hash is compared first: a file that would crash its reader is not parsed."""
    same, other = write(tmp_path, {"same.md": "crash", "other.md": "changed"})
    known = {same: hashlib.sha256(b"crash").hexdigest(), other: hashlib.sha256(b"before").hexdigest()}
    first, second = readers.read_all([same, other], skip=known)
    assert (first.file, first.error, first.sha256) == (None, None, known[same])
    assert text_of(second) == "changed"


def test_a_file_that_changes_once_is_read_again(readers: Readers, tmp_path: Path) -> None:
    """The outcome is the later content with the later hash."""
    (path,) = write(tmp_path, {"a.md": "settle"})
    (outcome,) = readers.read_all([path])
    assert text_of(outcome) == "settled"
    assert outcome.sha256 == hashlib.sha256(b"settled").hexdigest()


def test_what_is_not_a_readable_file_is_named(readers: Readers, tmp_path: Path) -> None:
    """Opening a pipe would wait for ever, a folder is no file, and a file may disappear at any moment."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    outcomes = readers.read_all([tmp_path / "pipe", tmp_path / "folder", tmp_path / "gone.md"])
    ordinary = "it is not an ordinary file: remove it from the folder"
    gone = "the file disappeared while it was being read: run again if it comes back"
    assert [outcome.error for outcome in outcomes] == [ordinary, ordinary, gone]


def test_odd_names_arrive_unchanged(readers: Readers, tmp_path: Path) -> None:
    """Line ends, bytes that are not UTF-8, and paths of a thousand characters."""
    deep = tmp_path.joinpath(*["a folder with quite a long name" * 5] * 7)
    deep.mkdir(parents=True)
    paths = [tmp_path / "two\nlines.md", Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.md")), deep / "年假.md"]
    for path in paths:
        path.write_text("found", "utf-8")
    outcomes = list(readers.read_all(paths))
    assert [(outcome.path, outcome.error) for outcome in outcomes] == [(path, None) for path in paths]
    titles = [outcome.file.documents[0].title for outcome in outcomes if outcome.file]
    assert titles == [path.stem for path in paths]


def test_what_a_parser_prints_is_no_message(readers: Readers, tmp_path: Path) -> None:
    """Messages do not use the standard output that parsers print to."""
    (outcome,) = readers.read_all(write(tmp_path, {"a.md": "chat"}))
    assert text_of(outcome) == "chat"


def test_a_page_that_was_read_restarts_the_time(tmp_path: Path) -> None:
    """Eight pages of 0.25 s do not exceed a limit of 1.5 s without progress; computing for ever still ends."""
    limits = Limits(seconds=1.5, computing_seconds=1)
    with Readers(limits, 2, OBEDIENT) as readers:
        pages, compute = readers.read_all(write(tmp_path, {"a.md": "pages", "b.md": "compute"}))
    assert text_of(pages) == "pages"
    assert compute.error == "it took more than 1 s of computing to read: split it"


def test_a_share_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose status never comes is named; of many such files in a row not each costs the full time."""
    share = tmp_path / "modules"
    share.mkdir()
    hanging = "import pathlib, time\ndef read(path): ...\npathlib.Path.stat = lambda self, **_: time.sleep(600)\n"
    (share / "silent_share.py").write_text(hanging, "utf-8")
    monkeypatch.syspath_prepend(share)
    monkeypatch.setattr(pool, "_SILENT_FILES", 1)
    monkeypatch.setattr(pool, "_SHORT_SECONDS", 0.25)
    with Readers(Limits(silent_seconds=0.5), 1, "silent_share:read") as readers:
        errors = [outcome.error for outcome in readers.read_all([tmp_path / "a.md", tmp_path / "b.md"])]
    assert errors == [
        f"nothing came from its disk or share for {seconds} s: check that and run again" for seconds in ("0.5", "0.25")
    ]


def test_a_process_that_cannot_start_is_one_error(tmp_path: Path) -> None:
    """No file can be read then, and no file is to blame: one line names the reason."""
    with Readers(QUICK, 1, "tests.no_such_module:read") as readers, pytest.raises(DocentError) as raised:
        list(readers.read_all([tmp_path / "a.md"]))
    assert "No module named 'tests.no_such_module'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_reading_in_this_process_gives_the_same_outcomes(
    readers: Readers, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The stand-in that other tests use instead of processes differs in nothing they can see."""
    paths = write(tmp_path, {"a.md": "text 年假", "b.md": "refuse", "known.md": "text", "d.md": "babble"})
    skip = {paths[2]: hashlib.sha256(b"text").hexdigest()}
    expected = list(readers.read_all(paths, skip))
    request.getfixturevalue("in_process_readers")
    with Readers(QUICK, 2, OBEDIENT) as here:
        assert list(here.read_all(paths, skip)) == expected


def _wait_until_gone(process: int) -> None:
    for _ in range(3000):
        try:
            state = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # ended, and not yet collected by whoever inherits it
            return
        time.sleep(0.02)
    raise AssertionError(f"process {process} is still there after 60 s")


def _identified(note: Path) -> int:
    """The process id that a reader writes into this file, as soon as it is there."""
    while not (note.is_file() and note.read_text("ascii")):
        time.sleep(0.02)
    return int(note.read_text("ascii"))


def test_leaving_the_block_ends_a_process_at_work(tmp_path: Path) -> None:
    """After Ctrl-C nobody waits for the file that was being read."""
    paths = write(tmp_path, {"a.md": "fine", "b.md": f"identify {tmp_path / 'process'}"})

    def interrupted(outcomes: Iterator[ReadOutcome]) -> None:
        for _ in outcomes:
            _identified(tmp_path / "process")
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Readers(Limits(), 1, OBEDIENT) as readers:
        interrupted(readers.read_all([*paths, *[paths[0]] * 9]))
    _wait_until_gone(_identified(tmp_path / "process"))
    assert time.monotonic() - started < Limits().seconds


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit of computing ends it")
def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even a reader process that hangs does not outlive its parent."""
    write(tmp_path, {"a.md": f"identify {tmp_path / 'process'}"})
    program = (
        "import sys; from pathlib import Path; from ingest.documents.workers.pool import Readers\n"
        f"with Readers(reader={OBEDIENT!r}) as readers: list(readers.read_all([Path(sys.argv[1])]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a.md")], env=environment)
    reader = _identified(tmp_path / "process")
    parent.kill()
    parent.wait()
    _wait_until_gone(reader)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)
WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
EXCEL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def package(main: str, kind: str, parts: dict[str, str], padded: str = "", megabytes: int = 0) -> bytes:
    """An Office file; the part `padded` goes on for so many megabytes of text, compressed to a few kilobytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxml'
            'formats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override '
            f'PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>',
        )
        archive.writestr("_rels/.rels", relationships(f'Type="{OFFICE}/officeDocument" Target="{main}"'))
        for name, text in parts.items():
            with archive.open(name, "w") as part:
                part.write(text.encode())
                if name == padded:
                    for _ in range(megabytes):
                        part.write(b"ha " * 333_333)
                    part.write(b"</w:t></w:r></w:p></w:body></w:document>")
    return file.getvalue()


def relationships(*targets: str) -> str:
    inner = "".join(f'<Relationship Id="rId{n}" {target}/>' for n, target in enumerate(targets, 1))
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'


def word(prolog: str, text: str, megabytes: int = 0) -> bytes:
    opening = f'{prolog}<w:document xmlns:w="{WORD}><w:body><w:p><w:r><w:t>{text}'
    closing = "" if megabytes else "</w:t></w:r></w:p></w:body></w:document>"
    parts = {"word/document.xml": opening + closing}
    padded = "word/document.xml" if megabytes else ""
    return package("word/document.xml", "wordprocessingml.document", parts, padded, megabytes)


def excel(sheet: str, strings: str) -> bytes:
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{EXCEL}" xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" '
        'r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relationships(
            f'Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"',
            f'Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"',
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{EXCEL}">{sheet}</worksheet>',
        "xl/sharedStrings.xml": strings,
    }
    return package("xl/workbook.xml", "spreadsheetml.sheet", parts)


def pdf(pages: int) -> bytes:
    """A PDF with so many pages, each an object of its own."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(pages))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n in range(pages):
        text = f"BT /F 12 Tf 50 800 Td (Page {n + 1} says 22 days of annual leave.) Tj ET"
        page = "/Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>"
        objects += [
            f"<<{page}/Contents {5 + 2 * n} 0 R>>",
            f"<</Length {len(text)}>>stream\n{text}\nendstream",
        ]
    header = "%PDF-1.4\n"
    pieces, offsets, size = [header], [], len(header)
    for number, body in enumerate(objects, 1):
        offsets.append(size)
        pieces.append(f"{number} 0 obj\n{body}\nendobj\n")
        size += len(pieces[-1])
    entries = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    pieces.append(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{entries}")
    pieces.append(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{size}\n%%EOF")
    return "".join(pieces).encode("ascii")


def test_bombs_cost_themselves_only(tmp_path: Path) -> None:
    """With the product's own readers: entities that multiply, a gigabyte in a few kilobytes, a sheet of 17 billion
    cells and ten thousand pages are read within the limits or named, and the file after each is read."""
    cell = '<c r="{}"><v>{}</v></c>'
    corners = f'<row r="1">{cell.format("A1", 1)}</row><row r="1048576">{cell.format("XFD1048576", 2)}</row>'
    shared = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    bombs = {
        "laughs.docx": word(LAUGHS, "&a9;"),
        "laughs.xlsx": excel(
            f"<sheetData>{shared}</sheetData>", f'{LAUGHS}<sst xmlns="{EXCEL}"><si><t>&a9;</t></si></sst>'
        ),
        "zip.docx": word('<?xml version="1.0"?>', "", megabytes=900),
        "range.xlsx": excel(
            f'<dimension ref="A1:XFD1048576"/><sheetData>{corners}</sheetData>', f'<sst xmlns="{EXCEL}"/>'
        ),
        "pages.pdf": pdf(10_000),
    }
    paths = []
    for name, data in bombs.items():
        good = tmp_path / f"after {name}.md"
        good.write_text(f"# Fine\n\nRead after {name}.\n", "utf-8")
        (tmp_path / name).write_bytes(data)
        paths += [tmp_path / name, good]
    with Readers(Limits(memory_bytes=700_000_000, output_bytes=5_000_000), 2) as readers:
        outcomes = list(readers.read_all(paths))
    for outcome in outcomes[::2]:
        texts = [document.text for document in outcome.file.documents] if outcome.file else []
        assert (outcome.error is None) == bool(texts), outcome.path.name
        assert sum(map(len, texts)) < 5_000_000
        assert not any("ha" * 1000 in text for text in texts), "an entity was multiplied"
    assert [outcome.error for outcome in outcomes[1::2]] == [None] * len(bombs)
    assert outcomes[4].error is not None, "a gigabyte cannot have been read"
