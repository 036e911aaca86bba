"""`docent bench engine` and `docent bench compare`: measure first token, throughput and memory of the engines."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ingest.base.errors import SettingsError
from ingest.documents.structure.markdown import markdown_table
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json

# What `compare` measures: an engine and the environment variables that it runs with.
CONTENDERS: dict[str, tuple[str, dict[str, str]]] = {
    "openvino int8": ("openvino", {}),
    "transformers bfloat16": ("transformers", {"DOCENT_DTYPE": "bfloat16"}),
    "transformers float32": ("transformers", {"DOCENT_DTYPE": "float32"}),
}
# Measured too if the package llama-cpp-python is installed.
LLAMA_CPP = ("Q8_0", "Q4_0")
# The columns of the comparison; times in seconds, throughput in tokens a second, memory in gigabytes.
COLUMNS = ("engine", "ttft_s", "followup_ttft_s", "same_again_ttft_s", "decode_tok_s", "rss_gb", "load_s")


@dataclass(frozen=True)
class Sizes:
    """How many tokens a prompt and an answer have, and how often each is measured."""

    prompt_tokens: int
    new_tokens: int
    repeats: int

    @property
    def options(self) -> list[str]:
        return [
            f"--prompt-tokens={self.prompt_tokens}", f"--new-tokens={self.new_tokens}", f"--repeats={self.repeats}",
        ]  # fmt: skip


def _measuring_options(command: Any) -> Any:
    """The options that both commands have."""
    for option in (
        settings_options("model", "models_cache", "answers_at_once"),
        json_option,
        click.option(
            "--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="runs behind each median"
        ),
        click.option(
            "--new-tokens", type=click.IntRange(2, 4096), default=64, show_default=True, help="tokens of an answer"
        ),
        click.option(
            "--prompt-tokens",
            type=click.IntRange(16, 20000),
            default=1500,
            show_default=True,
            help="tokens of a prompt",
        ),
        click.option(
            "--random-weights",
            metavar="NAME",
            help="use random weights of the size of qwen1.5-0.5b, qwen2.5-0.5b or qwen3-0.6b; made if missing",
        ),
    ):
        command = option(command)
    return command


@click.command("engine")
@_measuring_options
@click.option("--users", type=click.IntRange(1, 64), default=1, show_default=True, help="users who ask at once")
@settings_options("engine")
def bench_engine_command(
    random_weights: str | None, prompt_tokens: int, new_tokens: int, users: int, repeats: int, as_json: bool,
    **flags: Any,
) -> int:  # fmt: skip
    """Measure one engine: first token, prompt and answer tokens a second, follow-up, memory, loading time."""
    from assistant.measure.bench_engine import bench_engine

    settings = settings_from(_with_random_weights(flags, random_weights))
    figures = bench_engine(settings, prompt_tokens, new_tokens, users, repeats)
    if as_json:
        print_json(figures)
    else:
        for name, value in figures.items():
            click.echo(f"{name:>24}  {value}")
    return 0


@click.command("compare")
@_measuring_options
@click.option(
    "--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="how often each engine is started"
)
def compare_command(
    random_weights: str | None, prompt_tokens: int, new_tokens: int, repeats: int, rounds: int, as_json: bool,
    **flags: Any,
) -> int:  # fmt: skip
    """Compare openvino with transformers in float32 and bfloat16, and with llama.cpp if it is installed.

    The engines take turns, each in a process of its own, with the same weights.
    """
    flags = _with_random_weights(flags, random_weights)
    settings_from(flags)
    sizes = Sizes(prompt_tokens, new_tokens, repeats)
    llama_cpp = {f"llama.cpp {quantization}": quantization for quantization in LLAMA_CPP if find_spec("llama_cpp")}
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in (*CONTENDERS, *llama_cpp)}
    for number in range(rounds):
        for name, measured in figures.items():
            click.echo(f"Round {number + 1} of {rounds}: {name}", err=True)
            if name in llama_cpp:
                measured.append(_measure_llama_cpp(flags, llama_cpp[name], sizes))
            else:
                measured.append(_measure(flags, *CONTENDERS[name], sizes))
    results = [{"engine": name, **_medians(measured)} for name, measured in figures.items()]
    if as_json:
        print_json(results)
    else:
        _show(results)
    return 0


def _with_random_weights(flags: dict[str, Any], random_weights: str | None) -> dict[str, Any]:
    """The flags with a checkpoint of random weights as model. A process of its own makes it and frees its memory."""
    if random_weights is None:
        return flags
    cache = settings_from(flags).models_cache
    command = [sys.executable, "-m", "assistant.models.random_weights", random_weights, str(cache)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode != 0:
        raise SettingsError(f"--random-weights {random_weights} could not be made; the lines above say why.")
    return {**flags, "model": finished.stdout.strip()}


def _measure(flags: dict[str, Any], engine: str, environment: dict[str, str], sizes: Sizes) -> dict[str, Any]:
    """The figures of `docent bench engine` in a process of its own."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None]
    docent = str(Path(sys.executable).with_name("docent"))
    command = [docent, "bench", "engine", "--engine", engine, "--json", *sizes.options, *options]
    finished = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(finished.stdout)
    return figures


def _measure_llama_cpp(flags: dict[str, Any], quantization: str, sizes: Sizes) -> dict[str, Any]:
    from assistant.models.locate import locate

    settings = settings_from(flags)
    checkpoint = locate(settings)
    if checkpoint is None:
        raise SettingsError(f"{settings.model} is not on this machine: run `docent models pull`.")
    arguments = [str(checkpoint), str(settings.models_cache / "gguf"), quantization]
    arguments += map(str, (sizes.prompt_tokens, sizes.new_tokens, sizes.repeats))
    command = [sys.executable, "-m", "assistant.measure.bench_llama_cpp", *arguments]
    figures: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def _medians(rounds: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: round(statistics.median(figures[name] for figures in rounds), 4) for name in COLUMNS[1:]}


def _show(results: Sequence[dict[str, Any]]) -> None:
    """Print a Markdown table of the figures; in brackets the ratio of each to that of the first engine."""
    first = results[0]
    rows = [
        [row["engine"], *(f"{row[name]} ({row[name] / first[name]:.2f} ×)" for name in COLUMNS[1:])] for row in results
    ]
    click.echo(markdown_table([list(COLUMNS), *rows]))
