"""Which documents are older versions of others, by their names alone.

`leave-policy-2024.md` and `leave-policy-2026.md` in one folder are versions of one document: without dates and version
numbers their names are the same. The one with the higher numbers is the newer version.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

# A year or date (2024, 2024-05, 2024年5月), or a version (v2, v1.3, 版本2, 第2版): a bare small number, as in
# 'chapter-2' or 第2章, names a different document, and so does a longer one, as in 'invoice-120245'.
_VERSION = re.compile(
    r"(?<!\d)(?:19|20)\d{2}(?!\d)(?:[-_.年]?(?:0[1-9]|1[0-2]|[1-9])(?![0-9])月?(?:[-_.]?(?:[0-2]\d|3[01])(?!\d)日?)?)?年?"
    r"|(?<![a-z])(?:v|ver|version|rev|版本)[-_. ]?\d+(?:\.\d+)*版?|第\d+(?:\.\d+)*版",
    re.IGNORECASE,
)
_COMPACT_DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])?(?!\d)")


def version_of(name: str) -> tuple[str, tuple[int, ...]]:
    """(family, version) of a document's name; the version is () when the name has none."""
    path = PurePath(name)
    stem = _COMPACT_DATE.sub(lambda date: "-".join(part for part in date.groups() if part), path.stem)
    numbers = [int(number) for match in _VERSION.findall(stem) for number in re.findall(r"\d+", match)]
    family = re.sub(r"[-_. ()（）]+", "-", _VERSION.sub("", stem)).strip("-").lower()
    return f"{path.parent.as_posix()}/{family}{path.suffix.lower()}", tuple(numbers)


def superseded(documents: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Document id → name of the newest version, for every document that is not the newest of its family.

    `documents` are (id, name). A name that begins with a date, as those of minutes do, belongs to that day and is not a
    version of another name. A name without a suffix, such as MED-1999, is an identifier; its number is not a version.
    """
    families: dict[str, list[tuple[tuple[int, ...], int, str]]] = defaultdict(list)
    for document_id, name in documents:
        family, version = version_of(name)
        if version and PurePath(name).suffix and not re.match(r"(19|20)\d{2}", PurePath(name).name):
            families[family].append((version, document_id, name))
    older: dict[int, str] = {}
    for versions in families.values():
        newest_version, _, newest_name = max(versions)
        older.update({document_id: newest_name for version, document_id, _ in versions if version < newest_version})
    return older


def names_version(question: str, name: str) -> bool:
    """True when the question asks for this version: it has one of the version's numbers of four digits."""
    return not _years(name).isdisjoint(_years_asked(question))


def names_other_version(question: str, name: str) -> bool:
    """True when the question has years and the document's name has others: it is about another version.

    A name without a suffix is an identifier, as in `superseded`: never True.
    """
    years, asked = _years(name), _years_asked(question)
    return bool(years) and bool(asked) and bool(PurePath(name).suffix) and years.isdisjoint(asked)


def _years(name: str) -> set[int]:
    return {number for number in version_of(name)[1] if number >= 1000}


def _years_asked(question: str) -> set[int]:
    return {int(number) for number in re.findall(r"(?<!\d)(?:19|20)\d{2}(?!\d)", question)}
