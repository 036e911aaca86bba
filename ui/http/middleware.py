"""ASGI middleware: gives every request an id, a log line, security headers and a limit on its size.

It is plain ASGI: with Starlette's BaseHTTPMiddleware a stream would not learn that its caller has disconnected.
"""

from __future__ import annotations

import contextvars
import re
import time
import uuid

import structlog
from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.base.logs import get_logger

log = get_logger(__name__)
BODY_BYTES = 1_000_000
API_PATHS = ("/chat", "/stream_chat", "/health", "/documents/", "/docs", "/openapi.json")
# The browser itself refuses to fetch anything from another machine, whatever a document or an answer contains.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


def request_id() -> str:
    """The id of the current request; a new id outside of any request."""
    return _request_id.get(None) or uuid.uuid4().hex


class RequestMiddleware:
    """Gives every request an id and a log line. The line has method, path, status and time, never the question.

    An id that the caller sends as X-Request-ID is used if it is short and plain. An API request larger than BODY_BYTES
    is answered with 413, an unhandled error with 500 and the request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        identity = offered if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", offered) else uuid.uuid4().hex
        token = _request_id.set(identity)
        began, status, received = time.perf_counter(), 0, 0
        is_api = scope["path"].startswith(API_PATHS)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identity
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
            await send(message)

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if is_api and received > BODY_BYTES:
                raise HTTPException(413, f"The request is larger than {BODY_BYTES} bytes: send the question alone.")
            return message

        with structlog.contextvars.bound_contextvars(request_id=identity):
            try:
                await self.app(scope, receive_bounded, send_with_headers)
            except Exception:
                if status:
                    raise
                log.exception("request failed")
                line = f"Something went wrong; the log has the details under {identity}."
                await JSONResponse({"error": line, "request_id": identity}, 500)(scope, receive, send_with_headers)
            finally:
                milliseconds = round((time.perf_counter() - began) * 1000)
                write = log.info if is_api else log.debug
                write("request", method=scope["method"], path=scope["path"], status=status, milliseconds=milliseconds)
                _request_id.reset(token)
