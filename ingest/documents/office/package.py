"""Zip containers, opened only when they are safe to inflate, and XML without entities. Knows nothing of formats.

Office files, e-books and archives are zip files. Python's zipfile never inflates more than a member declares, so
what is declared is what has to be bounded. XML entities are how a small file becomes a large one in memory; the
formats read here do not use them (ECMA-376 part 2 forbids document type declarations outright).
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from ingest.base.errors import ReadError

# Bounds of one file, with all it carries. Text shrinks up to about 50 to 1; more than 200 to 1 is made to explode.
MOST_MEMBERS = 10_000
MOST_BYTES = 500_000_000
MOST_RATIO = 200
# Small members may shrink as they like: a few blank pages do.
_RATIO_MATTERS = 10_000_000
_CHUNK = 1_000_000
_DECLARATION = re.compile(
    b"|".join(re.escape(mark.encode(code)) for mark in ("<!ENTITY", "<!DOCTYPE") for code in ("utf-8", "utf-16-le"))
)
_ENTITY = re.compile(b"|".join(re.escape("<!ENTITY".encode(code)) for code in ("utf-8", "utf-16-le")))
_WHOLE = re.compile(r"-?\d{1,9}")
_TOO_LARGE = "the file unpacks to far more than it holds (a 'zip bomb'): save it again, or split it"


@dataclass
class Budget:
    """What a file may still unpack to: shared by the archives inside it, so that nesting does not multiply it."""

    members: int = MOST_MEMBERS
    size: int = MOST_BYTES

    def take(self, archive: zipfile.ZipFile) -> None:
        """Count all members of an archive. Raises ReadError when that is more than is left."""
        infos = archive.infolist()
        self.members -= len(infos)
        self.size -= sum(info.file_size for info in infos)
        if self.members < 0:
            raise ReadError(f"the archive holds more than {MOST_MEMBERS:,} files: unpack it, or split it")
        if self.size < 0 or any(map(_explodes, infos)):
            raise ReadError(_TOO_LARGE)


def _explodes(info: zipfile.ZipInfo) -> bool:
    return info.file_size > _RATIO_MATTERS and info.file_size > MOST_RATIO * max(1, info.compress_size)


def open_package(data: bytes, budget: Budget | None = None) -> zipfile.ZipFile:
    """The container, its declared sizes within bounds. Raises ReadError beyond them, BadZipFile when it is none."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    (budget or Budget()).take(archive)
    return archive


def refuse_declarations(archive: zipfile.ZipFile) -> None:
    """Raises ReadError when an XML part of an Office file declares a document type or an entity."""
    for info in archive.infolist():
        if not info.filename.lower().endswith((".xml", ".rels", ".vml")):
            continue
        with archive.open(info) as part:
            tail = b""
            while chunk := part.read(_CHUNK):
                if _DECLARATION.search(tail + chunk):
                    raise ReadError("the file declares XML entities, which no Office program writes: save it again")
                tail = chunk[-20:]


def parse_xml(data: bytes) -> Any:
    """The root element (lxml), namespaces kept. Raises ReadError for entities, lxml's XMLSyntaxError for bad XML."""
    from lxml import etree

    if _ENTITY.search(data):
        raise ReadError("the file declares XML entities, which no Office program writes: save it again")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    return etree.fromstring(data, parser)


def part(archive: zipfile.ZipFile, name: str) -> Any:
    """The root element of one member, None when the container has no such member."""
    return parse_xml(archive.read(name)) if name in archive.namelist() else None


def local(element: Any) -> str:
    """An element's name without its namespace; '' for a processing instruction or an unresolved entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Any, name: str, default: str = "") -> str:
    """An attribute by its name without namespace."""
    for key, value in element.attrib.items():
        if key == name or key.endswith("}" + name):
            return str(value)
    return default


def whole_number(element: Any, name: str, default: int) -> int:
    """An attribute that counts something; the default where a damaged file has no number there."""
    found = _WHOLE.fullmatch(attribute(element, name))
    return int(found[0]) if found else default
