"""The documentation cannot become outdated: what its pages name is compared with the code, page by page."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import click
import pytest
from PIL import Image

from assistant.events import Done, Evidence, Queued, to_json
from ingest.base.settings import Settings, is_advanced
from ingest.base.types import Hit
from ingest.documents.read import READERS
from ingest.runs.report import IngestReport
from tests.fakes.scripted_assistant import ScriptedAssistant
from tests.project import PROJECT
from ui.cli.main import docent
from ui.http.server import create_app

PACKAGES = ("ingest", "assistant", "ui")
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")])
README_WORDS = 900
MAIN_SETTINGS = 20
PICTURE_BYTES = 200_000


def page(name: str) -> str:
    return (PROJECT / name).read_text("utf-8")


def section(name: str, title: str) -> str:
    """A page's text below one heading, up to the next of the same depth or a higher one."""
    match = re.search(rf"^(#+) {re.escape(title)}$", page(name), re.MULTILINE)
    assert match, f"{name} has no section '{title}'"
    rest = page(name)[match.end() :]
    end = re.search(rf"^#{{1,{len(match.group(1))}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in a text, without header and rule."""
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


def names(text: str) -> set[str]:
    """What stands in backticks in the first cell of each row."""
    return {name for cells in rows(text) for name in re.findall(r"`([^`]+)`", cells[0])}


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(group: click.Group, path: str = "docent") -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


# README


def test_the_readme_is_short() -> None:
    """A newcomer reads it on one screen or two: fewer than 900 words."""
    assert len(page("README.md").split()) < README_WORDS


def test_the_chinese_readme_has_the_same_sections_commands_and_links() -> None:
    """Who reads Chinese is told the same: as many sections, the same commands, the same pages."""
    english, chinese = page("README.md"), page("README.zh.md")

    def headings(text: str) -> list[str]:
        return re.findall(r"^(#+) ", prose(text), re.MULTILINE)

    def shell(text: str) -> list[list[str]]:
        blocks = code_blocks(text, "sh")
        return [[line.split("#")[0].strip() for line in block.splitlines()] for block in blocks]

    def pages(text: str) -> list[str]:
        return [target for _, target in links(text) if not target.startswith(("docs/pictures", "README"))]

    assert headings(chinese) == headings(english)
    assert shell(chinese) == shell(english)
    assert pages(chinese) == pages(english)


def test_every_page_is_reached_from_the_readme() -> None:
    """No page is hidden."""
    targets = {target.split("#")[0] for _, target in links(page("README.md"))}
    assert {str(path.relative_to(PROJECT)) for path in PAGES} - {"README.md"} <= targets


def test_the_pictures_are_there_and_small() -> None:
    """The README loads quickly, and each picture opens."""
    pictures = sorted((PROJECT / "docs" / "pictures").iterdir())
    assert {path.stem for path in pictures} >= {"page-light", "page-dark", "page-phone", "page-chinese"}
    for path in pictures:
        assert path.stat().st_size < PICTURE_BYTES, path
        with Image.open(path) as image:
            image.verify()


# Links and paths


def links(text: str) -> list[tuple[str, str]]:
    """(text, target) of every link and picture in a page, in order."""
    found = re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", prose(text))
    return [*found, *(("", target) for target in re.findall(r'(?:src|srcset)="([^"]+)"', prose(text)))]


@cache
def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """A relative link names a file that exists, and its anchor a heading of that file."""
    for _, target in links(path.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_path_that_a_page_names_exists(path: Path) -> None:
    """A path in backticks below one of the project's folders is there."""
    for name in re.findall(r"`((?:ingest|assistant|ui|tests|docs|data)/[\w./-]*)`", path.read_text("utf-8")):
        if not name.startswith(("data/library", "data/models")) and "…" not in name:
            assert (PROJECT / name).exists(), name


def tree() -> Iterator[Path]:
    """Every path in the map of architecture.md, whose depth is two spaces a step."""
    (block,) = [block for block in code_blocks(page("docs/architecture.md"), "") if block.startswith("ingest/")]
    parents: list[Path] = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        first, *others = re.split(r"\s{2,}", line.strip())[0].split()
        for name in (first, *others):
            yield Path(*parents[:depth], name)
        parents[depth:] = [Path(first)]


def test_the_map_is_that_of_the_code() -> None:
    """Every path in the map exists, and no folder of a package is missing from it."""
    drawn = set(tree())
    for path in drawn:
        assert (PROJECT / path).exists(), path
    folders = {path.parent.relative_to(PROJECT) for name in PACKAGES for path in (PROJECT / name).rglob("*.py")}
    assert {folder for folder in folders if len(folder.parts) <= 2} <= drawn


@pytest.mark.parametrize(
    ("title", "module"),
    [
        ("The walk of a document", "ingest/sync.py"),
        ("The walk of a question", "assistant/assistant.py"),
    ],
)
def test_both_walks_have_the_steps_of_the_code(title: str, module: str) -> None:
    """The page numbers as many steps as the comments of the function that tells the walk, each under the same name."""
    documented = re.findall(r"^(\d)\. \*\*(\w+)", section("docs/architecture.md", title), re.MULTILINE)
    told = re.findall(r"(\d)\. ?(\w+)", " ".join(re.findall(r"# (\d\. .*)", page(module))))
    assert [(number, name.lower()) for number, name in documented] == [(number, name.lower()) for number, name in told]


# Settings


def settings_table(advanced: bool) -> list[list[str]]:
    expected = []
    for name, field in Settings.model_fields.items():
        if is_advanced(field) == advanced:
            default = "unset" if field.default is None else f"`{field.default}`"
            expected.append([f"`{name}`", default, field.description or ""])
    return expected


def test_there_are_few_settings_for_everyone() -> None:
    """An administrator reads one short table; what nobody turns is in another."""
    assert len(settings_table(advanced=False)) <= MAIN_SETTINGS


@pytest.mark.parametrize(("title", "advanced"), [("Main settings", False), ("Advanced settings", True)])
def test_every_setting_is_documented_with_its_default_and_meaning(title: str, advanced: bool) -> None:
    """What the page says of a setting is what the code says of it, in the same order, and there are no others."""
    assert rows(section("docs/settings.md", title)) == settings_table(advanced)


@cache
def names_in_the_code() -> set[str]:
    """Every word of the code, and of the files that configure it."""
    files = [path for name in (*PACKAGES, "tests") for path in (PROJECT / name).rglob("*.py")]
    return set(re.findall(r"\w+", "\n".join(map(Path.read_text, [*files, PROJECT / "pyproject.toml"]))))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_name_that_a_page_mentions_is_in_the_code(path: Path) -> None:
    """A setting, key or function in backticks, such as `queue_size`, has not been renamed."""
    mentioned = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", path.read_text("utf-8")))
    assert mentioned <= names_in_the_code()


def test_every_file_of_a_library_is_named_by_the_code() -> None:
    """The files and folders below `home` that an administrator reads of are those that the code makes."""
    for name in names(section("docs/running.md", "Folders")) - {"data/library", "data/models"}:
        assert re.search(rf"^{re.escape(PurePosixPath(name).name)}$", strings_in_the_code(), re.MULTILINE), name


# Commands


def test_every_command_is_documented() -> None:
    """The table lists exactly the commands there are."""
    documented = names(section("docs/running.md", "Every command"))
    documented = {name for name in documented if name.startswith("docent ")}
    assert {re.sub(r"( [A-Z]+…?)+$", "", name) for name in documented} == set(commands(docent))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_and_flag_in_the_pages_exists(path: Path) -> None:
    """What a page tells people to type is accepted: the command, and each of its flags."""
    known = commands(docent)
    lines = "\n".join(typed_lines(path.read_text("utf-8")))
    for typed in re.findall(r"^(?:[A-Z_]+=\S+ )*(docent [a-z][^#|;\n]*)", lines, re.MULTILINE):
        words = typed.split()
        command = known.get(" ".join(words[:3])) or known.get(" ".join(words[:2]))
        if command is None:
            assert words[1] in docent.commands, typed
            continue
        flags = {option for parameter in command.params for option in parameter.opts}
        assert {word.split("=")[0] for word in words if word.startswith("-")} <= {*flags, "--help"}, typed


def test_the_services_start_what_exists() -> None:
    """The units call commands and flags that there are; the container file copies what is there."""
    service = PROJECT / "docs" / "service"
    starts = [
        re.search(r"^ExecStart=\S*/(docent .*)$", unit.read_text("utf-8"), re.M) for unit in service.glob("*.service")
    ]
    assert len(starts) == 2
    for start in starts:
        assert start
        words = start.group(1).split()
        flags = {option for parameter in commands(docent)[" ".join(words[:2])].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= flags
    for copied in re.findall(r"^COPY (.+) \S+$", (service / "Containerfile").read_text("utf-8"), re.MULTILINE):
        assert all((PROJECT / name).exists() for name in copied.split()), copied


def typed_lines(text: str) -> list[str]:
    """What stands in shell blocks and in backticks."""
    return [*"".join(code_blocks(text, "sh")).splitlines(), *re.findall(r"`(docent [^`]+)`", text)]


@pytest.mark.parametrize("name", commands(docent))
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    """`--help` has a sentence on the command and on each of its options."""
    command = commands(docent)[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"


def test_every_command_that_reports_something_has_json() -> None:
    """Programs can read every outcome; `serve` has none."""
    without = [
        name for name, command in commands(docent).items() if all(option.name != "as_json" for option in command.params)
    ]
    assert without == ["docent serve"]


def test_the_makefile_has_the_targets_that_are_documented() -> None:
    """CONTRIBUTING lists exactly the targets there are, and no page names another."""
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    assert {name.removeprefix("make ") for name in names(section("CONTRIBUTING.md", "Set up"))} == targets
    for path in PAGES:
        typed = re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
        assert set(typed) <= targets, path


def test_the_markers_of_tests_are_documented() -> None:
    """CONTRIBUTING lists exactly the markers there are."""
    options = tomllib.loads(page("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    assert names(section("CONTRIBUTING.md", "Tests")) == {marker.split(":")[0] for marker in options["markers"]}


# Formats


def test_every_kind_of_file_is_documented() -> None:
    """The table lists every suffix that is read, once, and no other."""
    listed = [suffix for cells in rows(section("docs/running.md", "What is read")) for suffix in cells[1].split()]
    assert sorted(suffix.strip("`") for suffix in listed) == sorted(READERS)


# API


def test_every_route_is_documented(tmp_path: Path) -> None:
    """The table lists exactly the routes of the API, method by method."""
    app = create_app(ScriptedAssistant(Settings(home=tmp_path)))  # type: ignore[arg-type]
    served = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods} | {
        "GET /docs"
    }
    assert {cells[0].strip("`") for cells in rows(section("docs/api.md", "HTTP routes"))} == served


def test_every_key_of_an_answer_is_documented() -> None:
    """The table lists exactly the keys of `/chat`; those it says are HTTP's alone are not printed by `ask --json`."""
    answer = Done(Evidence((), (), 1.0, False), "", (), "", "stop")
    table = {name: cells[1] for cells in rows(section("docs/api.md", "An answer as JSON")) for name in names_of(cells)}
    assert {name for name, meaning in table.items() if "HTTP only" not in meaning} == set(to_json(answer))
    assert {name for name, meaning in table.items() if "HTTP only" in meaning} == {"response", "session", "request_id"}


def names_of(cells: list[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", cells[0])


def test_every_event_of_a_stream_is_documented() -> None:
    """The table lists the events by name, and what `queued` holds."""
    text = section("docs/api.md", "Server-sent events")
    assert names(text) == {"evidence", "queued", "done", "error"}
    assert all(f"`{field.name}`" in text for field in dataclasses.fields(Queued))


def test_every_key_of_a_run_and_of_a_hit_is_documented() -> None:
    """The two tables list exactly what `ingest --json` and `search --json` print."""
    documented = names(section("docs/api.md", "Command line"))
    run, hit = set(IngestReport().as_json()), {field.name for field in dataclasses.fields(Hit)}
    assert documented == run | hit


@pytest.mark.parametrize("number", range(len(code_blocks(page("docs/api.md"), "python"))))
@pytest.mark.usefixtures("ingested_office")
def test_the_python_examples_run(
    number: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the page shows can be copied and run over a library, and it finds the answer."""
    (Path.cwd() / "data").mkdir()
    (Path.cwd() / "data" / "library").symlink_to(settings.home)
    monkeypatch.syspath_prepend(str(PROJECT))
    exec(compile(code_blocks(page("docs/api.md"), "python")[number], "docs/api.md", "exec"), {})
    assert "25 days" in capsys.readouterr().out


# Messages


@cache
def strings_in_the_code() -> str:
    """Every text in the code, one a line; what is filled in at run time is an ellipsis."""
    texts = []
    for package in PACKAGES:
        for path in (PROJECT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(re.sub(r"\{\w+\}", "…", node.value))
                elif isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                    texts.append("".join(map(str, parts)))
    return "\n".join(texts)


def messages() -> list[str]:
    """The first cell of every table whose head says message, reason or what the page says."""
    found = []
    for name, first in (("docs/troubleshooting.md", "message|reason"), ("docs/using.md", "the page says")):
        for table in re.findall(rf"^\| (?:{first}) \|.*\n(?:^\|.*\n?)+", page(name), re.MULTILINE):
            found += [cells[0] for cells in rows(table)]
    return found


@pytest.mark.parametrize("message", messages())
def test_every_message_that_is_explained_exists(message: str) -> None:
    """A person who searches the page for a message finds it word for word."""
    assert message in strings_in_the_code()
