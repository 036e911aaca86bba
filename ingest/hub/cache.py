"""Downloaded models: the folders in the cache that hold a complete download, each with a manifest of its files.

A model counts as downloaded when its folder holds `docent-manifest.json`. That file is written last, in one rename,
after every file has the size and the SHA-256 that the hub lists. A folder without it is an unfinished download and is
never loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.base.files import write_whole
from ingest.base.logs import get_logger

log = get_logger(__name__)

MANIFEST = "docent-manifest.json"
MANIFEST_FORMAT = 1
REVISION = "master"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class HubFile:
    """One file of a model: `path` relative with forward slashes, `size` in bytes, `sha256` in lower-case hex or ''."""

    path: str
    size: int
    sha256: str


def is_hub_name(name: str) -> bool:
    """Whether `name` has the form `owner/name`. Such a name is safe as a path: neither absolute nor with '..'."""
    return NAME.fullmatch(name) is not None and ".." not in name


def find_downloaded(name: str, cache: Path) -> Path | None:
    """The folder of a complete download, or None. Compares sizes only; `verify` reads every byte."""
    if not is_hub_name(name):
        return None
    for folder in model_folders(name, cache):
        # Two names can have the same folder (`a/b--c`, `a--b/c`), so the manifest decides.
        if (folder / MANIFEST).is_file() and _manifest(folder).get("name") == name:
            files = read_manifest(folder)
            if files is not None and all(size_of(folder / file.path) == file.size for file in files):
                return folder
    return None


def verify(folder: Path) -> list[str]:
    """What is wrong with a downloaded model, one line per file; [] when every byte is as the hub listed it."""
    files = read_manifest(folder)
    if files is None:
        return [f"{folder / MANIFEST} is missing or unreadable"]
    return [f"{file.path}: {problem}" for file in files if (problem := file_problem(folder / file.path, file))]


def downloaded_names(cache: Path) -> dict[str, Path]:
    """Every complete download in `cache`: name to folder."""
    folders: dict[str, Path] = {}
    for manifest in sorted(cache.glob(f"**/{MANIFEST}")):
        name = _manifest(manifest.parent).get("name", "")
        if isinstance(name, str) and find_downloaded(name, cache) == manifest.parent:
            folders[name] = manifest.parent
    return folders


def model_folders(name: str, cache: Path) -> list[Path]:
    """The folders where the SDK may store a model: its present layout, then those of SDKs before 1.38.

    The SDK still uses the older layouts when it finds them.
    """
    owner, short = name.split("/")
    safe = short.replace(".", "___")
    old = [cache / root / owner / last for root in ("models", "hub/models", "", "hub") for last in (safe, short)]
    return [cache / "models" / f"{owner}--{short}" / "snapshots" / REVISION, *dict.fromkeys(old)]


def write_manifest(name: str, folder: Path, files: Sequence[HubFile], endpoint: str) -> None:
    """Mark the model in `folder` as complete. Check the bytes of the files first. Raises OSError."""
    content = {
        "format": MANIFEST_FORMAT,
        "name": name,
        "revision": REVISION,
        "endpoint": endpoint,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": [asdict(file) for file in files],
    }
    write_whole(folder / MANIFEST, json.dumps(content, indent=1))


def file_problem(path: Path, file: HubFile) -> str:
    """What is wrong with the file at `path`, after reading every byte; '' when it is as the hub lists it."""
    size = size_of(path)
    if size is None:
        return "is missing"
    if size != file.size:
        return f"has {size} bytes where the hub lists {file.size}"
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
            return "its SHA-256 is not the one the hub lists"
    return ""


def size_of(path: Path) -> int | None:
    """Bytes of a file; None when there is none."""
    return path.stat().st_size if path.is_file() else None


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("manifest_unreadable", folder=str(folder), reason=str(error))
        return {}
    return content if isinstance(content, dict) else {}


def read_manifest(folder: Path) -> list[HubFile] | None:
    """The files that the manifest lists; None when it is missing, damaged or of another format."""
    content = _manifest(folder)
    if content.get("format") != MANIFEST_FORMAT:
        return None
    try:
        return [HubFile(entry["path"], entry["size"], entry["sha256"]) for entry in content["files"]]
    except (KeyError, TypeError) as error:
        log.warning("manifest_unreadable", folder=str(folder), reason=repr(error))
        return None
