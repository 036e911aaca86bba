"""The arrows of the design: ui → assistant → ingest, and no other way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
ALLOWED = {
    "ingest": {"ingest"},
    "assistant": {"assistant", "ingest"},
    "ui": {"ui", "assistant", "ingest"},
}
# Leaves are what everything may use, so they use nothing of ours (settings and logs may raise our errors).
LEAVES = {
    "ingest/base/errors.py": set(),
    "ingest/base/types.py": set(),
    "ingest/base/logs.py": {"ingest.base.errors"},
    "ingest/base/settings.py": {"ingest.base.errors"},
    "ingest/base/language.py": set(),
    "ingest/base/cpu.py": set(),
    "ingest/base/files.py": set(),
    "ingest/base/memory.py": {"ingest.base.logs"},
    "assistant/events.py": set(),
}
# The folders of `ingest`, each standing on those before it.
FOLDERS = ("base", "hub", "documents", "store", "passages", "search", "runs")


def our_imports(path: Path) -> set[str]:
    """Every module of ours that the file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] in {*ALLOWED, "tests"}}


@pytest.mark.parametrize("package", ALLOWED)
def test_nothing_points_backwards(package: str) -> None:
    """A package imports only itself and those below it, and never the tests."""
    for path in (PROJECT / package).rglob("*.py"):
        packages = {name.split(".")[0] for name in our_imports(path)}
        assert packages <= ALLOWED[package], f"{path.relative_to(PROJECT)} imports {packages - ALLOWED[package]}"


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_know_nothing_of_the_rest(leaf: str) -> None:
    """Types, events, errors and text analysis can be used anywhere because they depend on nothing of ours."""
    assert our_imports(PROJECT / leaf) <= LEAVES[leaf]


def test_the_folders_of_ingest_stand_on_one_another() -> None:
    """A folder uses those named before it and leaves, never one of the modules above, which use the folders."""
    for number, folder in enumerate(FOLDERS):
        below = {f"ingest.{name}" for name in FOLDERS[: number + 1]}
        for path in (PROJECT / "ingest" / folder).glob("*.py"):
            for name in our_imports(path):
                leaf = f"{name.replace('.', '/')}.py" in LEAVES
                assert leaf or any(f"{name}.".startswith(f"{other}.") for other in below), f"{path.name} uses {name}"


def test_modules_of_a_package_do_not_import_in_circles() -> None:
    """Each folder reads top to bottom: following its imports never leads back to where one started."""
    graph = {}
    for package in ALLOWED:
        for path in (PROJECT / package).rglob("*.py"):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            graph[name] = _at_import(path)
    for start in graph:
        assert start not in _reached(graph, start), f"{start} imports itself by way of others"


def _at_import(path: Path) -> set[str]:
    """What a file imports when it is imported: not inside functions, not for type checkers."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(graph.get(name, ()))
    return reached


def test_every_module_says_what_it_is() -> None:
    """The first line of each module tells a stranger what it is."""
    for package in ALLOWED:
        for path in (PROJECT / package).rglob("*.py"):
            if path.name != "__init__.py" or path.stat().st_size:
                docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
                assert docstring and docstring[0].isupper() | docstring.startswith("`"), path
