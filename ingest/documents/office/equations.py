"""Equations of Office documents (ECMA-376 part 1, 22.1) as text on one line. Knows nothing of files."""

from __future__ import annotations

from typing import Any

from ingest.documents.office.package import local


def equation(element: Any) -> str:
    """An equation on one line: fractions with '/', powers with '^', indices with '_'."""
    name = local(element)
    if name == "t":
        return element.text or ""
    inner = {local(child): equation(child) for child in element if local(child) in {"num", "den", "sup", "sub", "e"}}
    if name == "f":
        return f"({inner.get('num', '')})/({inner.get('den', '')})"
    if name in {"sSup", "sSub", "sSubSup", "nary"} and inner:
        sub, sup = (
            f"{mark}{_grouped(inner[part])}" if inner.get(part) else "" for mark, part in (("_", "sub"), ("^", "sup"))
        )
        return inner.get("e", "") + sub + sup
    if name == "rad":
        return f"√({inner.get('e', '')})"
    return "".join(map(equation, element))


def _grouped(text: str) -> str:
    return text if len(text) <= 1 else f"({text})"
