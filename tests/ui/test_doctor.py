"""What `docent doctor` finds, on real folders, libraries and tiny models."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assistant.engines.latency import RATE_FILE, ReadingRate, store_rate
from assistant.models.convert import Manifest
from assistant.models.parity import Parity
from assistant.refuse.thresholds import THRESHOLDS_FILE, fit_thresholds_when_due
from ingest.base.settings import Settings
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.sync import ingest
from tests.fakes.loopback_hub import LoopbackHub, closed_port
from ui import doctor
from ui.doctor import Finding, examine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a machine without model weights and without a hub, which would use a model if it could."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    changes = {"engine": "auto", "models_cache": settings.home / "models", "hub_connect_seconds": 1.0}
    return settings.model_copy(update=changes)


def findings_by_name(settings: Settings, **changes: object) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings.model_copy(update=changes))}


def test_a_fresh_machine(site: Settings) -> None:
    """The findings in order, each with what to do next; only the missing library is a problem."""
    findings = examine(site)
    assert [(finding.name, finding.ok) for finding in findings] == [
        ("machine", True), ("disk", True), ("library", False), ("engine", True), ("chat model", True),
        ("embedding model", True), ("embedding model", True), ("hub", True),
    ]  # fmt: skip
    texts = {finding.name: finding.text for finding in findings}
    assert texts["machine"].startswith(f"{os.cpu_count()} cores (")
    assert "GB free in" in texts["disk"]
    assert texts["library"] == f"there is none in {site.home}: run `docent ingest FOLDER`"
    assert texts["engine"].startswith(f"{site.model} is not on this machine, so answers are quoted")
    assert texts["engine"].endswith("run `docent models pull` to get it")
    assert texts["chat model"] == f"{site.model}: not here"
    embedders = [finding.text for finding in findings if finding.name == "embedding model"]
    assert embedders == ["multilingual-e5-small: bundled", "all-MiniLM-L6-v2: bundled"]
    assert texts["hub"].endswith("does not answer; only `docent models pull` needs it")


@pytest.mark.usefixtures("ingested_office")
def test_a_library_without_problems(site: Settings) -> None:
    """The check is run, and the folder named."""
    assert findings_by_name(site)["library"] == Finding("library", True, f"catalog and indexes in {site.home} agree")


@pytest.mark.usefixtures("in_process_readers")
def test_the_thresholds_and_their_fit(site: Settings, ingested_office: Path) -> None:
    """Before the first fit, after one on too small a library, after a real one, and when it no longer holds."""
    assert findings_by_name(site)["thresholds"].text.startswith("not fitted to this library yet")
    made = fit_thresholds_when_due(site)
    assert made is not None
    assert findings_by_name(site)["thresholds"].text == (
        "confidence below 0.40: no answer; below 0.80: an answer with a caution; the defaults, because the library is "
        "too small for synthetic questions"
    )
    kept = replace(made, refuse=0.37, caution=0.81, questions=150, separation=0.953)
    (site.home / THRESHOLDS_FILE).write_text(json.dumps(asdict(kept)), "utf-8")
    assert findings_by_name(site)["thresholds"].text == (
        "confidence below 0.37: no answer; below 0.81: an answer with a caution; fitted on 150 synthetic questions, "
        "distinguished from unanswerable ones in 95% of the pairs"
    )
    (ingested_office / "parking.txt").write_text(
        "Parking behind the house is free for all visitors of the company.", "utf-8"
    )
    ingest([ingested_office], site)
    assert findings_by_name(site)["thresholds"].text.endswith(
        "have changed since: the next `docent ingest` fits them again"
    )


@pytest.mark.usefixtures("ingested_office")
def test_a_damaged_library_says_what_to_do(site: Settings) -> None:
    """Another embedder, or a file that is no catalog, is a problem with what to do; the rest is examined too."""
    catalog = Catalog(site.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "fingerprint": "0" * 16})
    catalog.close()
    finding = findings_by_name(site)["library"]
    assert not finding.ok
    assert "docent rebuild" in finding.text
    for leftover in site.home.glob(f"{CATALOG_FILE}*"):
        leftover.unlink()
    (site.home / CATALOG_FILE).write_bytes(b"this is no database at all" * 400)
    findings = findings_by_name(site)
    assert not findings["library"].ok
    assert "run `docent ingest` again" in findings["library"].text
    assert findings["machine"].ok


@pytest.mark.usefixtures("ingested_office")
def test_a_catalog_cut_short_is_a_finding(site: Settings) -> None:
    """Half a catalog can still be opened; its damage is a finding in one line, not an error."""
    path = site.home / CATALOG_FILE
    for leftover in (path.with_name(f"{CATALOG_FILE}-wal"), path.with_name(f"{CATALOG_FILE}-shm")):
        leftover.unlink(missing_ok=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    finding = findings_by_name(site)["library"]
    assert not finding.ok
    assert "\n" not in finding.text


def test_a_full_disk_and_a_read_only_one_are_problems(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little space, and a folder that cannot be written. For a folder that does not exist yet, the nearest parent
    that exists is examined."""
    assert str(site.home.parent) in findings_by_name(site, home=site.home.parent / "not" / "yet")["disk"].text
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: Usage(10**12, 10**12, 10**9))
    disk = findings_by_name(site)["disk"]
    assert (disk.ok, disk.text) == (
        False,
        f"1.0 GB free in {site.home}: free some space before you ingest documents or download a model",
    )
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    disk = findings_by_name(site)["disk"]
    assert (disk.ok, disk.text) == (False, f"{site.home} cannot be written: set DOCENT_HOME to a folder that can")


def test_the_engine_that_the_settings_ask_for(site: Settings, tiny_checkpoint: Path) -> None:
    """Quotations on purpose are no problem; an engine without weights is; weights on this machine are named."""
    assert findings_by_name(site, engine="extractive")["engine"].ok
    missing = findings_by_name(site, engine="transformers")["engine"]
    assert not missing.ok
    assert "docent models pull" in missing.text
    here = findings_by_name(site, engine="transformers", model=str(tiny_checkpoint))
    assert here["engine"].ok
    assert here["engine"].text.startswith(f"transformers with {tiny_checkpoint} from {tiny_checkpoint}")
    assert here["chat model"] == Finding("chat model", True, f"{tiny_checkpoint}: ready")


def test_a_converted_model_is_judged_by_its_parity(
    site: Settings, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Before conversion: what converts it. After: how well it agrees with its original; a problem when it does not."""
    waiting = findings_by_name(site, model=str(tiny_checkpoint))["engine"]
    assert waiting.ok
    assert "`docent models pull` converts it" in waiting.text
    monkeypatch.setattr(doctor, "find_converted", lambda *_arguments: site.home)
    for parity, well in ((Parity(0.0002, 0.96, 120), True), (Parity(0.3, 0.4, 120), False)):
        manifest = Manifest(1, "", "", "", "", (), parity)
        monkeypatch.setattr(doctor, "read_manifest", lambda _folder, manifest=manifest: manifest)
        finding = findings_by_name(site, model=str(tiny_checkpoint))["engine"]
        assert finding.ok == well
        assert f"same token chosen at {parity.same_choice:.0%} of 120 positions" in finding.text
        assert ("not used: it disagrees with the original" in finding.text) == (not well)


def test_broken_weights_and_wrong_names_are_problems(
    site: Settings, tiny_checkpoint: Path, tmp_path: Path
) -> None:  # fmt: skip
    """Engine and model both say what is wrong and what to do."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, broken)
    (broken / "model.safetensors").unlink()
    findings = findings_by_name(site, model=str(broken))
    assert [findings[name].ok for name in ("engine", "chat model")] == [False, False]
    assert "docent models pull" in findings["engine"].text
    assert "no *.safetensors file is there" in findings["chat model"].text
    findings = findings_by_name(site, model="nonsense")
    assert [findings[name].ok for name in ("engine", "chat model")] == [False, False]
    assert "neither a folder that exists nor a ModelScope name" in findings["engine"].text


def test_a_hub_that_answers(site: Settings, hub: LoopbackHub) -> None:
    """The hub is named with its address."""
    assert findings_by_name(site)["hub"] == Finding("hub", True, f"{hub.endpoint} answers")


def test_the_reading_rate(site: Settings) -> None:
    """After an engine was loaded: how fast it reads a prompt, and how long a prompt may therefore be."""
    store_rate(site.home, ReadingRate("openvino", site.model, 1100.0, 1485, 1.5))
    assert findings_by_name(site)["reading rate"].text == (
        "openvino reads 1100 prompt tokens a second on this machine; for a first word within 1.5 s, a prompt has at "
        "most 1485 tokens"
    )


def test_a_damaged_reading_rate_does_not_stop_the_doctor(site: Settings) -> None:
    """It counts as not measured; everything else is examined."""
    (site.home / RATE_FILE).write_text('{"engine": "openvino", "mod')
    findings = findings_by_name(site)
    assert "reading rate" not in findings
    assert findings["hub"].ok
