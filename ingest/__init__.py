"""From a file to a searchable passage: makes and owns the library."""

import sys

# OpenVINO reports its use to an analytics service when this package can be imported; without it nothing is sent.
# None makes `import openvino_telemetry` raise ImportError, which OpenVINO expects. Everything of ours imports `ingest`
# before OpenVINO.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
