from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assistant.engines.latency import RATE_FILE, ReadingRate, keep_rate
from assistant.models.convert import Manifest
from assistant.models.parity import Parity
from assistant.refuse.thresholds import THRESHOLDS_FILE, fit_thresholds_when_due
from ingest.base.settings import Settings
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.sync import ingest
from tests.fakes.loopback_hub import LoopbackHub, closed_port
from tests.fakes.model_fixtures import hub, tiny_checkpoint  # noqa: F401
from ui import doctor
from ui.doctor import Finding, examine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A site that has neither weights nor a hub within reach, and takes the model when it can."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    changes = {"engine": "auto", "models_cache": settings.home / "models", "hub_connect_seconds": 1.0}
    return settings.model_copy(update=changes)


def found(settings: Settings, **changes: object) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings.model_copy(update=changes))}


def test_a_fresh_machine_is_told_what_to_do_next(site: Settings) -> None:
    """One finding each, in the order a person goes through them; only the missing library is a problem, and missing
    weights and hub say what they mean."""
    findings = examine(site)
    assert [(finding.name, finding.ok) for finding in findings] == [
        ("machine", True), ("disk", True), ("library", False), ("engine", True), ("chat model", True),
        ("embedding model", True), ("hub", True),
    ]  # fmt: skip
    texts = {finding.name: finding.text for finding in findings}
    assert texts["machine"].startswith(f"{os.cpu_count()} cores (")
    assert "GB free at" in texts["disk"]
    assert texts["library"] == f"there is none in {site.home}: run `docent ingest FOLDER`"
    assert texts["engine"].startswith(f"{site.model} is not on this machine, so answers are quoted")
    assert texts["engine"].endswith("run `docent models pull` to get it")
    assert texts["chat model"] == f"{site.model}: not here"
    assert texts["embedding model"] == f"{site.embedder}: bundled"
    assert texts["hub"].endswith("is not reached; only `docent models pull` needs it")


def test_a_whole_library_is_well(site: Settings, office: Path) -> None:
    """Checked through and through, and said where it is."""
    ingest([office], site)
    assert found(site)["library"] == Finding("library", True, f"the one in {site.home} is whole")


def test_what_refusing_was_fitted_on_is_said(site: Settings, office: Path) -> None:
    """Before the first fit, after one that had too little to go by, after a real one, and when it holds no more."""
    ingest([office], site)
    assert found(site)["refusing"].text.startswith("not fitted to this library yet")
    made = fit_thresholds_when_due(site)
    assert made is not None
    assert found(site)["refusing"].text == (
        "refused below a confidence of 0.40, answered with caution below 0.70; the defaults, because too little of the "
        "library can be asked about"
    )
    kept = replace(made, refuse=0.37, caution=0.81, questions=150, separation=0.953)
    (site.home / THRESHOLDS_FILE).write_text(json.dumps(asdict(kept)), "utf-8")
    assert found(site)["refusing"].text == (
        "refused below a confidence of 0.37, answered with caution below 0.81; fitted on 150 questions made from its "
        "passages, told from near misses in 95% of the pairs"
    )
    (office / "parking.txt").write_text("Parking behind the house is free for all visitors of the company.", "utf-8")
    ingest([office], site)
    assert found(site)["refusing"].text.endswith("have changed since: the next `docent ingest` fits anew")


def test_a_damaged_library_says_what_mends_it(site: Settings, office: Path) -> None:
    """Indexes that disagree, and a catalog that is none, are problems with a way out; the rest is still examined."""
    ingest([office], site)
    catalog = Catalog(site.home / CATALOG_FILE)
    catalog.set_embedder({**(catalog.embedder() or {}), "fingerprint": "0" * 16})
    catalog.close()
    finding = found(site)["library"]
    assert not finding.ok
    assert "docent rebuild" in finding.text
    for leftover in site.home.glob(f"{CATALOG_FILE}*"):
        leftover.unlink()
    (site.home / CATALOG_FILE).write_bytes(b"this is no database at all" * 400)
    findings = found(site)
    assert not findings["library"].ok
    assert "run `docent ingest` again" in findings["library"].text
    assert findings["machine"].ok


def test_a_catalog_cut_short_is_a_finding(site: Settings, office: Path) -> None:
    """Half a catalog still opens; the damage is said, not raised."""
    ingest([office], site)
    path = site.home / CATALOG_FILE
    for leftover in (path.with_name(f"{CATALOG_FILE}-wal"), path.with_name(f"{CATALOG_FILE}-shm")):
        leftover.unlink(missing_ok=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    finding = found(site)["library"]
    assert not finding.ok
    assert "\n" not in finding.text


def test_a_full_disk_and_a_read_only_one_are_problems(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little space says so; a folder that cannot be written names the setting. A folder that is not there yet is
    judged by the nearest one that is."""
    assert str(site.home.parent) in found(site, home=site.home.parent / "not" / "yet")["disk"].text
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: Usage(10**12, 10**12, 10**9))
    disk = found(site)["disk"]
    assert (disk.ok, disk.text) == (
        False,
        f"1.0 GB free at {site.home}: free some space before ingesting or downloading a model",
    )
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    disk = found(site)["disk"]
    assert (disk.ok, disk.text) == (False, f"{site.home} cannot be written: set DOCENT_HOME to a folder that can")


def test_the_engine_is_judged_by_what_the_settings_ask(site: Settings, tiny_checkpoint: Path) -> None:  # noqa: F811
    """Quoting on purpose is well; the model by name without weights is not; weights that are here are named."""
    assert found(site, engine="extractive")["engine"].ok
    missing = found(site, engine="transformers")["engine"]
    assert not missing.ok
    assert "docent models pull" in missing.text
    here = found(site, engine="transformers", model=str(tiny_checkpoint))
    assert here["engine"].ok
    assert here["engine"].text.startswith(f"transformers with {tiny_checkpoint} from {tiny_checkpoint}")
    assert here["chat model"] == Finding("chat model", True, f"{tiny_checkpoint}: ready")


def test_a_converted_model_is_judged_by_its_parity(
    site: Settings, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """Weights that were not converted yet say who does it; a converted model says how well it agrees with its
    original, and is a problem when it does not."""
    waiting = found(site, model=str(tiny_checkpoint))["engine"]
    assert waiting.ok
    assert "`docent models pull` makes it" in waiting.text
    monkeypatch.setattr(doctor, "find_converted", lambda *_arguments: site.home)
    for parity, well in ((Parity(0.0002, 0.96, 120), True), (Parity(0.3, 0.4, 120), False)):
        manifest = Manifest(1, "", "", "", "", (), parity)
        monkeypatch.setattr(doctor, "read_manifest", lambda _folder, manifest=manifest: manifest)
        finding = found(site, model=str(tiny_checkpoint))["engine"]
        assert finding.ok == well
        assert f"same choice at {parity.same_choice:.0%} of 120 places" in finding.text
        assert ("not used: it disagrees with the original" in finding.text) == (not well)


def test_broken_weights_and_wrong_names_are_problems(
    site: Settings, tiny_checkpoint: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    """Both the engine and the model say what is wrong and what to do."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, broken)
    (broken / "model.safetensors").unlink()
    findings = found(site, model=str(broken))
    assert [findings[name].ok for name in ("engine", "chat model")] == [False, False]
    assert "docent models pull" in findings["engine"].text
    assert "no *.safetensors file is there" in findings["chat model"].text
    findings = found(site, model="nonsense")
    assert [findings[name].ok for name in ("engine", "chat model")] == [False, False]
    assert "neither a folder that exists nor a ModelScope name" in findings["engine"].text


def test_a_hub_that_answers_is_said(site: Settings, hub: LoopbackHub) -> None:  # noqa: F811
    """With its address."""
    assert found(site)["hub"] == Finding("hub", True, f"{hub.endpoint} answers")


def test_what_was_measured_is_told(site: Settings) -> None:
    """After an engine was loaded here, the doctor says how fast it reads and what follows for a question."""
    keep_rate(site.home, ReadingRate("openvino", site.model, 1100.0, 1485, 1.5))
    assert found(site)["reading"].text == (
        "openvino read 1100 prompt tokens a second here, so a question takes along at most 1485 for a first word "
        "within 1.5 s"
    )


def test_a_damaged_reading_rate_does_not_stop_the_doctor(site: Settings) -> None:
    """It counts as not measured; everything else is examined."""
    (site.home / RATE_FILE).write_text('{"engine": "openvino", "mod')
    findings = found(site)
    assert "reading" not in findings
    assert findings["hub"].ok
