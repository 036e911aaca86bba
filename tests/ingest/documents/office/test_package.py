"""Packages that are safe to open, and those that are not."""

from __future__ import annotations

import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.documents.office import package
from ingest.documents.office.package import (
    Budget,
    attribute,
    children,
    descendants,
    local_name,
    open_package,
    parse_xml,
    refuse_declarations,
)
from tests.conftest import zipped

BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


def test_opens() -> None:
    """An ordinary package is opened, also one whose small members compress well."""
    assert open_package(zipped({"a.txt": b"0" * 1_000_000})).namelist() == ["a.txt"]


def test_explodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member with an extreme compression ratio is refused before it is inflated."""
    data = zipped({"a": b"0" * 12_000_000})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("it was inflated"))
    with pytest.raises(ReadError, match="unpacks to far more than it holds"):
        open_package(data)


def test_too_much() -> None:
    """Too many members or bytes are refused, summed over all packages that share a budget."""
    data = zipped({"a": b"12345", "b": b"12345"})
    with pytest.raises(ReadError, match="more than 10,000 files"):
        open_package(data, Budget(members=1))
    budget = Budget(size=15)
    open_package(data, budget)
    with pytest.raises(ReadError, match="unpacks to far more"):
        open_package(data, budget)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_entities(encoding: str) -> None:
    """XML that declares entities is refused in every encoding, alone or inside an Office file."""
    data = BOMB.decode().encode(encoding)
    with pytest.raises(ReadError, match="declares XML entities"):
        parse_xml(data)
    with pytest.raises(ReadError, match="declares XML entities"):
        refuse_declarations(open_package(zipped({"word/styles.xml": data})))


def test_declaration_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A declaration that spans two chunks is found."""
    monkeypatch.setattr(package, "_CHUNK", 7)
    with pytest.raises(ReadError, match="declares XML entities"):
        refuse_declarations(open_package(zipped({"a.xml": b"<!-- long comment -->" + BOMB})))


def test_names() -> None:
    """Elements and attributes are found by name without namespace; comments are dropped; None has no elements."""
    root = parse_xml(b'<w:p xmlns:w="urn:w" w:val="x" id="y"><!-- c --><w:r/></w:p>')
    attributes = [attribute(root, "val"), attribute(root, "id"), attribute(root, "no", "-")]
    assert [local_name(root), *attributes] == ["p", "x", "y", "-"]
    assert [local_name(child) for child in root] == ["r"]
    assert list(children(root, "r", "t")) == list(descendants(root, "r")) == [root[0]]
    assert list(children(None, "r")) == list(descendants(None, "r")) == []
