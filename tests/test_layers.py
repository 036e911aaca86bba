"""The arrows of the design: ui → assistant → ingest, and inside each of these from the steps above to those below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import PROJECT

ALLOWED = {
    "ingest": {"ingest"},
    "assistant": {"assistant", "ingest"},
    "ui": {"ui", "assistant", "ingest"},
}
# `python -m ingest` is a command, and commands belong to `ui`.
ENTRY_POINT = "ingest.__main__"
# Every module may use the leaves, so they use nothing of ours, except that settings and logs may raise our errors.
LEAVES: dict[str, set[str]] = {
    "ingest.base.errors": set(),
    "ingest.base.types": set(),
    "ingest.base.logs": {"ingest.base.errors"},
    "ingest.base.settings": {"ingest.base.errors"},
    "ingest.base.language": {"ingest.base.normal_forms"},
    "ingest.base.normal_forms": {
        "ingest.base.chinese_numbers",
        "ingest.base.chinese_script",
        "ingest.base.dates",
    },
    "ingest.base.dates": {"ingest.base.chinese_numbers"},
    "ingest.base.chinese_numbers": set(),
    "ingest.base.chinese_script": set(),
    "ingest.base.cpu": set(),
    "ingest.base.files": set(),
    "ingest.base.memory": {"ingest.base.logs"},
    "assistant.events": set(),
}
# The folders and modules of a package, from the bottom to the top: each uses only those named before it.
ORDER = {
    "ingest": (
        "base", "hub", "documents", "store", "passages", "search", "runs", "sync", "watch", "library", "llama_index",
        "__main__",
    ),
    "assistant": (
        "events", "understand", "retrieve", "refuse", "answer", "models", "engines", "generate", "event_stream",
        "conversations", "assistant", "measure",
    ),
    "ui": ("duration", "doctor", "runtime", "page", "http", "cli"),
}  # fmt: skip
# What draws pages, serves requests or reads command lines.
FACES = {"click", "rich", "fastapi", "starlette", "streamlit", "uvicorn"}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Every module of a package by its dotted name, those in subfolders too."""
    for path in sorted((PROJECT / package).rglob("*.py")):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = {name: path for package in ALLOWED for name, path in modules(package)}


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """The modules that a file imports, by their dotted names.

    `everywhere` includes imports inside functions and for type checkers; without it only those that run when the file
    is imported are returned.
    """
    tree = ast.parse(path.read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from ingest.runs import rebuild` imports a module, `from ingest.sync import ingest` a name of one.
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            imported.update(submodules or {node.module})
    return imported


def our_imports(path: Path) -> set[str]:
    """The modules of this project, tests included, that the file imports anywhere."""
    return {name for name in imports(path) if name.split(".")[0] in {*ALLOWED, "tests"}}


@pytest.mark.parametrize("package", ALLOWED)
def test_nothing_points_backwards(package: str) -> None:
    """A package imports only itself and those below it, and never the tests."""
    for name, path in modules(package):
        packages = {imported.split(".")[0] for imported in our_imports(path)}
        allowed = ALLOWED[package] | ({"ui"} if name == ENTRY_POINT else set())
        assert packages <= allowed, f"{name} imports {packages - allowed}"


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_use_nothing_of_ours(leaf: str) -> None:
    """Types, events, errors and text analysis can be used anywhere because they depend on nothing of ours."""
    assert our_imports(MODULES[leaf]) <= LEAVES[leaf]


@pytest.mark.parametrize("package", ORDER)
def test_the_folders_of_a_package_stand_on_one_another(package: str) -> None:
    """A folder uses itself, those before it and leaves, never one after it; every folder and module has its place."""
    steps = {name.split(".")[1] for name, _ in modules(package) if "." in name}
    assert steps == set(ORDER[package])
    for name, path in modules(package):
        for imported in our_imports(path):
            if "." in name and imported.startswith(f"{package}.") and imported not in LEAVES:
                step, used = (ORDER[package].index(module.split(".")[1]) for module in (name, imported))
                assert used <= step, f"{name} imports {imported}"


def test_only_ui_draws_pages_serves_requests_and_reads_command_lines() -> None:
    """Command line, page and HTTP can be exchanged because nothing below `ui` knows them."""
    for name, path in MODULES.items():
        if not name.startswith("ui"):
            assert not {imported.split(".")[0] for imported in imports(path)} & FACES, name


def test_modules_of_a_package_do_not_import_in_circles() -> None:
    """Following the imports of a module never leads back to it."""
    graph = {name: imports(path, everywhere=False) for name, path in MODULES.items()}
    for start in graph:
        assert start not in _reached(graph, start), f"{start} imports itself by way of others"


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name in graph and name not in reached:
            reached.add(name)
            waiting.extend(graph[name])
    return reached


def test_every_module_says_what_it_is() -> None:
    """The first line of each module says what the module is."""
    for name, path in MODULES.items():
        if path.name != "__init__.py" or path.stat().st_size:
            docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
            assert docstring and docstring[0].isupper() | docstring.startswith("`"), name
