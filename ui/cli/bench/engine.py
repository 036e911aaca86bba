"""`docent bench`: measurements anyone can repeat, told as a table. Knows no engine from inside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ingest.base.errors import SettingsError
from ingest.documents.structure.markdown import markdown_table
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json

# What is compared: the engine and the environment it runs in.
CONTENDERS: dict[str, tuple[str, dict[str, str]]] = {
    "openvino int8": ("openvino", {}),
    "transformers bfloat16": ("transformers", {"DOCENT_DTYPE": "bfloat16"}),
    "transformers float32": ("transformers", {"DOCENT_DTYPE": "float32"}),
}
# Measured too where the package llama-cpp-python is installed.
LLAMA_CPP = ("Q8_0", "Q4_0")
_TABLE = ("engine", "ttft_s", "followup_ttft_s", "same_again_ttft_s", "decode_tok_s", "rss_gb", "load_s")


def _measured(command: Any) -> Any:
    """The options both commands share."""
    for option in (
        settings_options("model", "models_cache", "answers_at_once"),
        json_option,
        click.option(
            "--repeats", type=click.IntRange(1, 100), default=3, help="runs to take medians of", show_default=True
        ),
        click.option(
            "--new-tokens", type=click.IntRange(2, 4096), default=64, help="length of an answer", show_default=True
        ),
        click.option(
            "--prompt-tokens", type=click.IntRange(16, 20000), default=1500, help="its prompt", show_default=True
        ),
        click.option(
            "--random-weights",
            metavar="NAME",
            help="random weights of qwen1.5-0.5b, qwen2.5-0.5b or qwen3-0.6b, made when missing",
        ),
    ):
        command = option(command)
    return command


@click.command("engine")
@_measured
@click.option("--users", type=click.IntRange(1, 64), default=1, show_default=True, help="people asking at once")
@settings_options("engine")
def bench_engine_command(
    random_weights: str | None,
    prompt_tokens: int,
    new_tokens: int,
    users: int,
    repeats: int,
    as_json: bool,
    **flags: Any,
) -> int:
    """Measure one engine: first token, reading and writing rate, follow-up, memory, loading."""
    from assistant.measure.bench_engine import bench_engine

    settings = settings_from(_with_random(flags, random_weights))
    figures = bench_engine(settings, prompt_tokens, new_tokens, users, repeats)
    if as_json:
        print_json(figures)
    else:
        for name, value in figures.items():
            click.echo(f"{name:>24}  {value}")
    return 0


@click.command("compare")
@_measured
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="turns each engine gets")
def compare_command(
    random_weights: str | None,
    prompt_tokens: int,
    new_tokens: int,
    repeats: int,
    rounds: int,
    as_json: bool,
    **flags: Any,
) -> int:
    """Measure openvino against transformers in float32 and bfloat16, and against llama.cpp where that is installed.

    In alternation, each in a process of its own, on the same weights.
    """
    flags = _with_random(flags, random_weights)
    settings_from(flags)
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):
        for name, (engine, environment) in CONTENDERS.items():
            click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
            turns[name].append(_apart(flags, engine, environment, prompt_tokens, new_tokens, repeats))
        for quantization in LLAMA_CPP if find_spec("llama_cpp") else ():
            name = f"llama.cpp {quantization}"
            click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
            figures = _llama_cpp(flags, quantization, (prompt_tokens, new_tokens, repeats))
            turns.setdefault(name, []).append(figures)
    table = [{"engine": name, **_medians(figures)} for name, figures in turns.items()]
    if as_json:
        print_json(table)
    else:
        _show(table)
    return 0


def _with_random(flags: dict[str, Any], random_weights: str | None) -> dict[str, Any]:
    """Flags with the random checkpoint as model; made in a process of its own, whose memory is then not ours."""
    if random_weights is None:
        return flags
    cache = settings_from(flags).models_cache
    run = subprocess.run(
        [sys.executable, "-m", "assistant.models.random_weights", random_weights, str(cache)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise SettingsError(f"--random-weights {random_weights} could not be made; the lines above say why.")
    return {**flags, "model": run.stdout.strip()}


def _apart(
    flags: dict[str, Any], engine: str, environment: dict[str, str], prompt_tokens: int, new_tokens: int, repeats: int
) -> dict[str, Any]:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None]
    sizes = ["--prompt-tokens", str(prompt_tokens), "--new-tokens", str(new_tokens), "--repeats", str(repeats)]
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("docent")),
            "bench",
            "engine",
            "--engine",
            engine,
            "--json",
            *sizes,
            *options,
        ],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


def _llama_cpp(flags: dict[str, Any], quantization: str, sizes: tuple[int, int, int]) -> dict[str, Any]:
    from assistant.models.locate import locate

    settings = settings_from(flags)
    checkpoint = locate(settings)
    if checkpoint is None:
        raise SettingsError(f"{settings.model} is not on this machine: run `docent models pull`.")
    arguments = [str(checkpoint), str(settings.models_cache / "gguf"), quantization, *map(str, sizes)]
    command = [sys.executable, "-m", "assistant.measure.bench_llama_cpp", *arguments]
    figures: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def _medians(figures: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: round(statistics.median(turn[name] for turn in figures), 4) for name in _TABLE if name != "engine"}


def _show(results: Sequence[dict[str, Any]]) -> None:
    """Print each figure as a Markdown table, and in brackets its ratio to the first row's."""
    names = [name for name in _TABLE if name in results[0]]
    rows = [
        [
            str(row[name]) if isinstance(row[name], str) else f"{row[name]} ({row[name] / results[0][name]:.2f} ×)"
            for name in names
        ]
        for row in results
    ]
    click.echo(markdown_table([names, *rows]))
