"""A model hub on 127.0.0.1: the few routes of ModelScope that its SDK calls.

It can misbehave on request: break off a file after some bytes, serve wrong bytes, list a file without its hash.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class LoopbackHub:
    """Serves `models`, name (`owner/name`) to {path: bytes}; `requests` and `sent` record what was asked and sent."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.cut_after: dict[str, list[int]] = {}  # path: bytes after which the next downloads of it break off
        self.wrong: dict[str, int] = {}  # path: how many of the next downloads of it carry wrong bytes
        self.without_hash: set[str] = set()
        self.requests: list[tuple[str, str, str]] = []  # method, path of the URL or of the file, Range header
        self.sent: dict[str, int] = {}  # path: bytes of it that were sent
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def add_folder(self, name: str, folder: Path) -> None:
        self.models[name] = {
            str(path.relative_to(folder).as_posix()): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    def ranges_asked(self, path: str) -> list[str]:
        """The Range header of each request for a file, '' for the whole file."""
        return [header for method, requested, header in self.requests if method == "GET" and requested == path]

    def _listing(self, name: str) -> dict[str, object]:
        files = []
        for path, content in self.models[name].items():
            entry: dict[str, object] = {"Path": path, "Name": path.split("/")[-1], "Type": "blob", "Size": len(content)}
            if path not in self.without_hash:
                entry["Sha256"] = hashlib.sha256(content).hexdigest()
            files.append(entry)
        return {"Code": 200, "Success": True, "Data": {"Files": files}}

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the request below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.requests.append(("HEAD", self.path, ""))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                name = url.path.removeprefix("/api/v1/models/").removesuffix("/repo/files").removesuffix("/repo")
                if name not in hub.models:
                    hub.requests.append(("GET", url.path, ""))
                    self._json({"Code": 404, "Success": False, "Message": "not found"}, 404)
                elif url.path.endswith("/repo/files"):
                    hub.requests.append(("GET", "repo/files", ""))
                    self._json(hub._listing(name))
                else:
                    self._file(query["FilePath"][0], hub.models[name])

            def _json(self, content: object, status: int = 200) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _file(self, path: str, files: dict[str, bytes]) -> None:
                range_header = self.headers.get("Range", "")
                hub.requests.append(("GET", path, range_header))
                content = files[path]
                if hub.wrong.get(path, 0) > 0:
                    hub.wrong[path] -= 1
                    content = bytes(byte ^ 0xFF for byte in content)
                start = int(range_header.removeprefix("bytes=").split("-")[0]) if range_header else 0
                body = content[start:]
                self.send_response(206 if range_header else 200)
                if range_header:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if hub.cut_after.get(path):
                    body = body[: hub.cut_after[path].pop(0)]
                    self.close_connection = True
                self.wfile.write(body)
                hub.sent[path] = hub.sent.get(path, 0) + len(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A running hub; its address is `hub.endpoint`, for MODELSCOPE_ENDPOINT."""
    hub = LoopbackHub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()


def closed_port() -> int:
    """A loopback port that nothing listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
