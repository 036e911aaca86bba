"""Settings: which source wins, how a wrong value is reported, and files of older versions."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ingest.base.errors import SettingsError
from ingest.base.settings import Settings, is_advanced, load_settings
from tests.project import PROJECT


def write_toml(text: str | bytes) -> None:
    Path("docent.toml").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_flags_over_environment_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source wins over the ones below it, key by key."""
    assert load_settings().port == 8501
    write_toml('port = 1001\nhost = "file"\nmodel = "file/model"\n')
    assert (load_settings().port, load_settings().host) == (1001, "file")
    monkeypatch.setenv("DOCENT_PORT", "1002")
    monkeypatch.setenv("DOCENT_HOST", "environment")
    assert (load_settings().port, load_settings().host, load_settings().model) == (1002, "environment", "file/model")
    settings = load_settings(port=1003)
    assert (settings.port, settings.host, settings.model) == (1003, "environment", "file/model")


def test_flags_that_were_not_given() -> None:
    """None means that the flag was not given, not that the setting is empty."""
    assert load_settings(port=None, embedder=None) == Settings()


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("port", "eighty", "integer"),
        ("port", "70000", "65535"),
        ("temperature", "-1", "greater than or equal to 0"),
        ("engine", "gpt", "'transformers' or 'extractive'"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("embedder", "", "at least 1 character"),
    ],
)
@pytest.mark.parametrize("source", ["flag", "environment", "file"])
def test_wrong_value(monkeypatch: pytest.MonkeyPatch, key: str, value: str, allowed: str, source: str) -> None:
    """From every source, a wrong value is one line with the key, the value and what is allowed."""
    flags = {key: value} if source == "flag" else {}
    if source == "environment":
        monkeypatch.setenv(f"DOCENT_{key.upper()}", value)
    if source == "file":
        write_toml(f'{key} = "{value}"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(**flags)
    message = str(caught.value)
    assert key in message
    assert repr(value) in message
    assert allowed in message
    assert "\n" not in message


def test_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown variable is rejected by name, with the names that are allowed."""
    monkeypatch.setenv("DOCENT_EMBEDER", "x")
    with pytest.raises(SettingsError, match=r"DOCENT_EMBEDER is not a setting.*DOCENT_EMBEDDER"):
        load_settings()


def test_misspelt_key() -> None:
    """An unknown key of `docent.toml` is rejected the same way."""
    write_toml("prot = 80\n")
    with pytest.raises(SettingsError, match=r"'prot' is not a setting.*port"):
        load_settings()


@pytest.mark.parametrize("content", [b"port = [\n", b'home = "caf\xe9"\n'], ids=["broken", "not UTF-8"])
def test_file_that_cannot_be_read(content: bytes) -> None:
    """A `docent.toml` that is not TOML, or not UTF-8, is named, with the reason and what to do."""
    write_toml(content)
    with pytest.raises(SettingsError, match=r"docent\.toml is not valid TOML .*: correct it or remove it"):
        load_settings()


def test_models_cache_is_also_modelscope_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """`MODELSCOPE_CACHE` sets the folder for downloads, unless Docent's own variable or a flag does."""
    write_toml('models_cache = "file"\n')
    assert load_settings().models_cache == Path("file")
    monkeypatch.setenv("MODELSCOPE_CACHE", "modelscope")
    assert load_settings().models_cache == Path("modelscope")
    monkeypatch.setenv("DOCENT_MODELS_CACHE", "docent")
    assert load_settings().models_cache == Path("docent")
    assert load_settings(models_cache="flag").models_cache == Path("flag")


def test_unprefixed_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of other programs, `PORT` or `MODELS_CACHE`, have no effect."""
    for variable in ("PORT", "HOME_", "MODELS_CACHE", "MODEL"):
        monkeypatch.setenv(variable, "7")
    assert load_settings() == Settings()
    assert load_settings().models_cache == Path("data/models")


def test_settings_do_not_change() -> None:
    """Settings cannot be changed after they were read; and every setting has a description."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]
    assert all(field.description for field in Settings.model_fields.values())


def test_few_settings_are_for_everyone() -> None:
    """At most 20 settings are in the main table; those that hardly anybody changes are marked as advanced."""
    advanced = {name for name, field in Settings.model_fields.items() if is_advanced(field)}
    assert len(Settings.model_fields) - len(advanced) <= 20
    assert {
        "lookup_tokens", "dtype", "top_p", "top_k", "embedder_query_prefix", "embedder_passage_prefix",
        "hub_connect_seconds",
    } <= advanced  # fmt: skip


def test_a_file_of_version_0_1_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the 30 settings of version 0.1.0 is accepted with the value it had, from the file and from variables."""
    old_file = PROJECT / "tests" / "files" / "version-0.1" / "docent.toml"
    values = tomllib.loads(old_file.read_text("utf-8"))
    assert len(values) == 30
    write_toml(old_file.read_bytes())
    opened = load_settings()
    assert {key: type(value)(getattr(opened, key)) for key, value in values.items()} == values
    Path("docent.toml").unlink()
    for key, value in values.items():
        monkeypatch.setenv(f"DOCENT_{key.upper()}", str(value))
    assert load_settings() == opened


def test_answers_may_be_longer_than_the_default() -> None:
    """`max_new_tokens` reaches what the longest prompt leaves free in a context window of 32,768 tokens."""
    assert load_settings().max_new_tokens == 256
    assert load_settings(max_new_tokens="4096", prompt_tokens="28672").max_new_tokens == 32_768 - 28_672
    with pytest.raises(SettingsError, match=r"setting 'max_new_tokens' is '4097': .* less than or equal to 4096"):
        load_settings(max_new_tokens="4097")
