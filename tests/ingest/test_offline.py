"""Nothing leaves the machine: OpenVINO's telemetry is kept out of every process that imports it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project import PROJECT

RECORDING = """
import socket, sys
asked = []
sys.addaudithook(lambda event, arguments: asked.append(arguments) if event in
    ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect") else None)
import {module}
import openvino
import threading
for thread in threading.enumerate():
    if thread is not threading.current_thread() and not thread.daemon:
        thread.join(10)
assert "openvino" in sys.modules
print([name for name in sys.modules if name.startswith("openvino_telemetry.")], asked)
"""


@pytest.mark.parametrize(
    "module", ["ingest.passages.embedders.openvino_embedding", "assistant.engines.worker", "assistant.models.convert"]
)
def test_importing_openvino_asks_no_host(module: str) -> None:
    """No process of ours that imports OpenVINO loads its telemetry, looks up a host or connects to one."""
    run = subprocess.run(
        [sys.executable, "-c", RECORDING.format(module=module)],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == "[] []"
