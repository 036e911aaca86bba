"""`docent models`: download models and list them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ui.cli.terminal.downloads import download_shown, stages_shown
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json


@click.group()
def models() -> None:
    """Download models and list those on this machine."""


@models.command("list")
@json_option
@settings_options("model", "embedder", "reranker", "models_cache")
def list_models_command(as_json: bool, **flags: Any) -> int:
    """List the models that the settings name and those that were downloaded."""
    from assistant.models.locate import list_models

    states = list_models(settings_from(flags))
    if as_json:
        print_json([{**asdict(state), "path": str(state.path or "")} for state in states])
    else:
        for state in states:
            click.echo(f"{state.name}  ({state.role}, {state.size / 1e6:.0f} MB, {state.state})")
    return 0


@models.command("pull")
@click.argument("names", nargs=-1)
@json_option
@settings_options("model", "embedder", "reranker", "models_cache", "hub_connect_seconds")
def pull_command(names: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Download models from ModelScope and verify every byte.

    NAMES are the models that the settings name, unless given. They may also be folders or GGUF files on this
    machine. Files that are already here are not downloaded again; an interrupted download continues where it
    stopped. A chat model is then converted to an int8 OpenVINO model, once, and compared with the original.
    """
    from assistant.models.convert import convert
    from assistant.models.locate import is_checkpoint, pull

    settings = settings_from(flags)
    with download_shown(quiet=as_json) as progress:
        folders = pull(settings, names, progress)
    with stages_shown(quiet=as_json) as stage:
        folders = [
            convert(folder, settings.models_cache, stage) if is_checkpoint(folder) else folder for folder in folders
        ]
    if as_json:
        print_json(folders)
    else:
        for folder in folders:
            click.echo(f"Ready: {folder}")
    return 0
