"""The web application around a scripted assistant."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.base.settings import Settings
from tests.fakes.scripted_assistant import ScriptedAssistant
from ui.http import server


@pytest.fixture
def assistant(tmp_path: Path) -> ScriptedAssistant:
    return ScriptedAssistant(Settings(home=tmp_path, question_characters=40, requests_per_minute=30))


@pytest.fixture
def client(assistant: ScriptedAssistant) -> TestClient:
    return TestClient(server.create_app(assistant), raise_server_exceptions=False)  # type: ignore[arg-type]
