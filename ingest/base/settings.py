"""Every setting of Docent in one frozen object, read once at the edge.

Precedence: flags over environment (`DOCENT_…`) over `docent.toml` over the defaults here.
Knows nothing of what the settings do; a wrong value names the key, the value and what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ingest.base.errors import SettingsError

SETTINGS_FILE = "docent.toml"
PREFIX = "DOCENT_"


class Settings(BaseSettings):
    """What a site may change. The description of each field is what README.md lists."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=SETTINGS_FILE, frozen=True, extra="forbid", populate_by_name=True
    )

    home: Path = Field(Path("data/library"), description="state folder: catalog, index, conversations, logs")
    embedder: str = Field(
        "all-MiniLM-L6-v2",
        min_length=1,
        description="embedding model: the bundled `all-MiniLM-L6-v2`, a ModelScope name (`owner/name`) or a folder; "
        "where nobody sets it, a library goes on with its own",
    )
    embedder_query_prefix: str | None = Field(
        None, description="text put before every question when it is embedded; unset: what the model itself names"
    )
    embedder_passage_prefix: str | None = Field(
        None, description="text put before every passage when it is embedded; unset: what the model itself names"
    )
    reranker: str | None = Field(
        None,
        description="cross-encoder that reads the best 20 passages of a search with the question and orders them: a "
        "ModelScope name (`BAAI/bge-reranker-v2-m3`) or a sentence-transformers folder; unset: none. Slow on a CPU: "
        "every search takes seconds longer, and the first also loads torch and the model",
    )
    model: str = Field(
        "qwen/Qwen1.5-0.5B-Chat",
        min_length=1,
        description="chat model: a ModelScope name (`owner/name`), a folder or a GGUF file",
    )
    models_cache: Path = Field(
        Path("data/models"),
        validation_alias=AliasChoices("DOCENT_MODELS_CACHE", "MODELSCOPE_CACHE"),
        description="where downloads go (`MODELSCOPE_CACHE` is understood too)",
    )
    hub_connect_seconds: float = Field(5.0, gt=0, le=120, description="how long to wait for the model hub to answer")
    engine: Literal["auto", "openvino", "transformers", "extractive"] = Field(
        "auto", description="what writes answers; `auto` takes the model when its weights are here, else quotes"
    )
    cache_gigabytes: float = Field(
        0.4, ge=0.1, le=64, description="memory in which the model keeps what it computed of earlier prompts (openvino)"
    )
    answers_at_once: int = Field(
        4, ge=1, le=64, description="how many answers the model writes at the same time (openvino; others write one)"
    )
    lookup_tokens: int = Field(
        0,
        ge=0,
        le=16,
        description="tokens guessed ahead from what was read and checked in one step (openvino); 0: off. Up to three "
        "times as fast where answers quote, slower elsewhere; words the model finds equally likely may change places",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of the transformers engine; `auto`: bfloat16 where the CPU has it"
    )
    threads: int = Field(0, ge=0, le=512, description="CPU threads for the model; 0: all cores of this machine")
    max_new_tokens: int = Field(256, ge=1, le=256, description="longest answer, in model tokens")
    temperature: float = Field(0.7, ge=0, le=2, description="sampling temperature; 0 is greedy")
    top_p: float = Field(0.9, gt=0, le=1, description="nucleus sampling")
    # Qwen's own generation settings have 20. Sorting the whole vocabulary for top_p alone cost 9 ms a token of 25.
    top_k: int = Field(20, ge=0, le=1000, description="only so many of the likeliest tokens are sampled from; 0: all")
    repetition_penalty: float = Field(1.1, ge=1, le=2, description="over generated tokens only; 1 is off")
    prompt_tokens: int = Field(
        3000, ge=256, le=28672, description="longest prompt, in model tokens: instruction, history, passages, question"
    )
    first_word_seconds: float = Field(
        1.5, gt=0, le=600, description="how soon an answer should begin: a slower machine gets fewer passages to read"
    )
    passages: int = Field(5, ge=1, le=20, description="how many passages an answer may draw on")
    question_characters: int = Field(1000, ge=10, le=20000, description="longest question accepted")
    queue_size: int = Field(8, ge=0, le=1000, description="how many questions may wait for the model")
    queue_seconds: float = Field(60.0, gt=0, le=3600, description="how long a question may wait for the model")
    answer_seconds: float = Field(120.0, gt=0, le=3600, description="how long one answer may take")
    requests_per_minute: int = Field(30, ge=1, le=100000, description="questions a minute from one caller")
    host: str = Field("127.0.0.1", min_length=1, description="address the server listens on")
    port: int = Field(8501, ge=1, le=65535, description="port the server listens on")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`debug` also logs questions; other levels never do"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:
    """Settings from flags, environment and `docent.toml`; flags that are None were not given.

    Raises SettingsError naming the key, the value and what is allowed.
    """
    _refuse_unknown_environment()
    try:
        return Settings(**{key: value for key, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{SETTINGS_FILE} is not valid TOML ({error}): correct it or remove it.") from error


def _refuse_unknown_environment() -> None:
    """A misspelt variable would otherwise be silently ignored."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.upper() not in known:
            raise SettingsError(f"{variable} is not a setting of Docent: allowed are {', '.join(sorted(known))}.")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        return f"'{key}' is not a setting: allowed are {', '.join(Settings.model_fields)}."
    return f"setting '{key}' is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."
