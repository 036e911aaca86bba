"""Every setting of Docent, in one frozen object that is read once, when a command starts.

An option of the command wins over the environment (`DOCENT_…`), the environment over `docent.toml`, and that over the
defaults here. A wrong value is reported with the key, the value and what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ingest.base.errors import SettingsError

SETTINGS_FILE = "docent.toml"
PREFIX = "DOCENT_"
# Marks a setting that hardly any site needs to change; the documentation lists these in a table of their own.
_ADVANCED: dict[str, Any] = {"advanced": True}


class Settings(BaseSettings):
    """What a site may change. The documentation lists the description of each field."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=SETTINGS_FILE, frozen=True, extra="forbid", populate_by_name=True
    )

    # Files and models
    home: Path = Field(
        Path("data/library"),
        description="state folder: the library with its catalog and indexes, the conversations and the logs",
    )
    embedder: str = Field(
        "multilingual-e5-small",
        min_length=1,
        description="embedding model: the bundled `multilingual-e5-small` or `all-MiniLM-L6-v2` (English only), a "
        "ModelScope name (`owner/name`) or a folder. If you do not set it, a library keeps the model that it was built "
        "with",
    )
    reranker: str | None = Field(
        None,
        description="cross-encoder that reads the best 20 passages of a search together with the question and sorts "
        "them again: a ModelScope name (`BAAI/bge-reranker-v2-m3`) or a sentence-transformers folder. Unset: none. "
        "Slow on a CPU: every search takes seconds longer, and the first one also loads torch and the model",
    )
    model: str = Field(
        "qwen/Qwen1.5-0.5B-Chat",
        min_length=1,
        description="chat model: a ModelScope name (`owner/name`), a folder or a GGUF file",
    )
    models_cache: Path = Field(
        Path("data/models"),
        validation_alias=AliasChoices("DOCENT_MODELS_CACHE", "MODELSCOPE_CACHE"),
        description="folder for downloaded models; the variable `MODELSCOPE_CACHE` sets it too",
    )
    # Answers
    engine: Literal["auto", "openvino", "transformers", "extractive"] = Field(
        "auto",
        description="what writes the answers. `auto` uses the chat model if its weights are on this machine, and "
        "otherwise quotes the documents",
    )
    passages: int = Field(5, ge=1, le=20, description="number of passages that an answer may use")
    max_new_tokens: int = Field(
        256,
        ge=1,
        le=4096,
        description="longest answer, in tokens of the chat model. A prompt and its answer must fit into the context "
        "window of the model together",
    )
    temperature: float = Field(
        0.7, ge=0, le=2, description="randomness of the model's answers; 0 always takes the most likely token"
    )
    first_word_seconds: float = Field(
        1.5,
        gt=0,
        le=600,
        description="how soon an answer should begin, in seconds. On a slow machine the model is given fewer passages",
    )
    answer_seconds: float = Field(120.0, gt=0, le=3600, description="longest time for one answer, in seconds")
    answers_at_once: int = Field(
        4,
        ge=1,
        le=64,
        description="number of answers that the openvino engine writes at the same time; other engines write one",
    )
    queue_size: int = Field(8, ge=0, le=1000, description="number of questions that may wait for the model")
    requests_per_minute: int = Field(30, ge=1, le=100000, description="number of questions per minute from one caller")
    # This machine
    threads: int = Field(0, ge=0, le=512, description="CPU threads for the chat model; 0: all cores of this machine")
    cache_gigabytes: float = Field(
        0.4,
        ge=0.1,
        le=64,
        description="memory in which the openvino engine keeps what it computed for earlier prompts, in gigabytes",
    )
    host: str = Field("127.0.0.1", min_length=1, description="address that the server listens on")
    port: int = Field(8501, ge=1, le=65535, description="port that the server listens on")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log entry that is written. Only `debug` writes questions to the log"
    )

    # Advanced
    embedder_query_prefix: str | None = Field(
        None,
        json_schema_extra=_ADVANCED,
        description="text put before every question when it is embedded. Unset: the prefix that the embedding model "
        "itself names",
    )
    embedder_passage_prefix: str | None = Field(
        None,
        json_schema_extra=_ADVANCED,
        description="text put before every passage when it is embedded. Unset: the prefix that the embedding model "
        "itself names",
    )
    hub_connect_seconds: float = Field(
        5.0,
        gt=0,
        le=120,
        json_schema_extra=_ADVANCED,
        description="how long to wait for the model hub to answer, in seconds",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        json_schema_extra=_ADVANCED,
        description="number format of the transformers engine; `auto`: bfloat16 if the CPU supports it",
    )
    lookup_tokens: int = Field(
        0,
        ge=0,
        le=16,
        json_schema_extra=_ADVANCED,
        description="tokens that the openvino engine guesses from the prompt and checks in one step (prompt lookup); "
        "0: off. Answers that quote are up to three times as fast, others slower; when two words are equally likely, "
        "the answer may change",
    )
    prompt_tokens: int = Field(
        3000,
        ge=256,
        le=28672,
        json_schema_extra=_ADVANCED,
        description="longest prompt, in tokens of the chat model: instructions, history, passages and question",
    )
    question_characters: int = Field(
        1000, ge=10, le=20000, json_schema_extra=_ADVANCED, description="longest question, in characters"
    )
    queue_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        json_schema_extra=_ADVANCED,
        description="longest time that a question waits for the model, in seconds",
    )
    repetition_penalty: float = Field(
        1.1,
        ge=1,
        le=2,
        json_schema_extra=_ADVANCED,
        description="makes tokens that the answer already contains less likely; 1: off",
    )
    # Qwen's own generation settings have 20. To sort the whole vocabulary for top_p alone took 9 ms of 25 ms a token.
    top_k: int = Field(
        20,
        ge=0,
        le=1000,
        json_schema_extra=_ADVANCED,
        description="choose each token among this number of most likely tokens; 0: among all",
    )
    top_p: float = Field(
        0.9,
        gt=0,
        le=1,
        json_schema_extra=_ADVANCED,
        description="choose each token among the most likely ones that together have this probability",
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


def is_advanced(field: FieldInfo) -> bool:
    """Whether the field of `Settings` belongs to the table of advanced settings."""
    return field.json_schema_extra == _ADVANCED


def load_settings(**flags: Any) -> Settings:
    """Settings from flags, environment and `docent.toml`; a flag that is None was not given.

    Raises SettingsError, which names the key, the value and what is allowed.
    """
    _reject_unknown_variables()
    try:
        return Settings(**{key: value for key, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{SETTINGS_FILE} is not valid TOML ({error}): correct it or remove it.") from error


def _reject_unknown_variables() -> None:
    """pydantic ignores variables that it does not know, and so would hide a misspelt one."""
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
