"""Zip packages and their XML parts, opened only when they are safe to inflate.

Office files, e-books and archives are zip files. Python's zipfile never inflates more than a member declares, so the
declared sizes are bounded. XML entities turn a small file into a large one in memory; the formats read here do not
use them (ECMA-376 part 2 forbids document type declarations). Elements are named without their namespaces: strict
and transitional Office files differ in nothing else.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.base.errors import ReadError

# Bounds of one file with everything in it. Text compresses to about 1/50; beyond 1/200 the file is a zip bomb.
MOST_MEMBERS = 10_000
MOST_BYTES = 500_000_000
MOST_RATIO = 200
# Smaller members may compress further: a few blank pages do.
_RATIO_MATTERS = 10_000_000
_CHUNK = 1_000_000
_DECLARATION = re.compile(
    b"|".join(re.escape(mark.encode(code)) for mark in ("<!ENTITY", "<!DOCTYPE") for code in ("utf-8", "utf-16-le"))
)
_ENTITY = re.compile(b"|".join(re.escape("<!ENTITY".encode(code)) for code in ("utf-8", "utf-16-le")))
_INTEGER = re.compile(r"-?\d{1,9}")
_TOO_LARGE = "the file unpacks to far more than it holds (a 'zip bomb'): save it again, or split it"


@dataclass
class Budget:
    """Members and bytes that a file may still unpack to. All archives inside the file share one budget."""

    members: int = MOST_MEMBERS
    size: int = MOST_BYTES

    def take(self, archive: zipfile.ZipFile) -> None:
        """Subtract all members of an archive. Raises ReadError when they are more than is left."""
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
    """The zip file. Raises ReadError when its declared sizes exceed the budget, BadZipFile when it is no zip file."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    (budget or Budget()).take(archive)
    return archive


def refuse_declarations(archive: zipfile.ZipFile) -> None:
    """Raise ReadError when an XML part of an Office file declares a document type or an entity."""
    for info in archive.infolist():
        if not info.filename.lower().endswith((".xml", ".rels", ".vml")):
            continue
        with archive.open(info) as part:
            tail = b""  # a declaration may begin in the chunk before
            while chunk := part.read(_CHUNK):
                if _DECLARATION.search(tail + chunk):
                    raise ReadError("the file declares XML entities, which no Office program writes: save it again")
                tail = chunk[-20:]


def parse_xml(data: bytes) -> Any:
    """The root element (lxml). Raises ReadError for declared entities, lxml's XMLSyntaxError for malformed XML."""
    from lxml import etree

    if _ENTITY.search(data):
        raise ReadError("the file declares XML entities, which no Office program writes: save it again")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    return etree.fromstring(data, parser)


def xml_part(archive: zipfile.ZipFile, name: str) -> Any:
    """The root element of an XML member; None when the package has no such member. Raises as `parse_xml` does."""
    return parse_xml(archive.read(name)) if name in archive.namelist() else None


def local_name(element: Any) -> str:
    """The element's name without its namespace; '' for a processing instruction or an unresolved entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(parent: Any, *names: str) -> Iterator[Any]:
    """The direct children with one of these names, in order; none when `parent` is None."""
    return (child for child in (() if parent is None else parent) if local_name(child) in names)


def descendants(root: Any, *names: str) -> Iterator[Any]:
    """The element itself and all below it with one of these names, in document order; none when `root` is None."""
    return (element for element in (() if root is None else root.iter()) if local_name(element) in names)


def attribute(element: Any, name: str, default: str = "") -> str:
    """The value of an attribute, by its name without namespace."""
    for key, value in element.attrib.items():
        if key == name or key.endswith("}" + name):
            return str(value)
    return default


def integer_attribute(element: Any, name: str, default: int) -> int:
    """The value of an attribute as an integer; the default where a damaged file has none there."""
    number = _INTEGER.fullmatch(attribute(element, name))
    return int(number[0]) if number else default
