"""Equations of Office documents (ECMA-376 part 1, 22.1) as text on one line."""

from __future__ import annotations

from typing import Any

from ingest.documents.office.package import children, local_name


def equation(element: Any) -> str:
    """An equation on one line: fractions with '/', powers with '^', indices with '_'."""
    name = local_name(element)
    if name == "t":
        return element.text or ""
    operands = {local_name(child): equation(child) for child in children(element, "num", "den", "sup", "sub", "e")}
    if name == "f":
        return f"({operands.get('num', '')})/({operands.get('den', '')})"
    if name in {"sSup", "sSub", "sSubSup", "nary"} and operands:
        subscript, superscript = (
            f"{mark}{_grouped(operands[script])}" if operands.get(script) else ""
            for mark, script in (("_", "sub"), ("^", "sup"))
        )
        return operands.get("e", "") + subscript + superscript
    if name == "rad":
        return f"√({operands.get('e', '')})"
    return "".join(map(equation, element))


def _grouped(text: str) -> str:
    return text if len(text) <= 1 else f"({text})"
