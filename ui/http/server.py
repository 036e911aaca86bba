"""The HTTP face: FastAPI outside, the Streamlit page mounted at `/`, one port. Knows no model and no library format.

Routes hand a question to `Assistant.ask` and pass its events on. Whatever may block runs in a thread, never on the
event loop, so `/health` answers while a model is at work.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import anyio.to_thread
import limits
import streamlit
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import BaseModel, Field, model_validator
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

import ui.page
from assistant.engines.admission import Refused
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ui.http.answers import AnswerStream, Asking, RequestRecord, request_id, whole_answer
from ui.page.strings import strings_for
from ui.runtime import set_assistant

if TYPE_CHECKING:
    from assistant.assistant import Assistant

log = get_logger(__name__)
PAGE_SCRIPT = Path(ui.page.__file__).with_name("page.py")
PAGE_OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "runner.magicEnabled": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 1,
    "theme.dark.backgroundColor": "#171715",
    "theme.dark.primaryColor": "#2f9e82",
    "theme.light.primaryColor": "#1b7a63",
    "ui.hideTopBar": True,
}
# The browser itself refuses to fetch anything from another machine, whatever a document or an answer holds.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
TEXT_SUFFIXES = {".csv", ".log", ".markdown", ".md", ".rst", ".text", ".tsv", ".txt"}


class Question(BaseModel):
    """A question, under either of the two names that clients use, and the conversation it belongs to."""

    input: str | None = Field(None, description="the question")
    message: str | None = Field(None, description="the question, under the other name clients use")
    session: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="conversation to go on with")

    @model_validator(mode="after")
    def has_a_question(self) -> Self:
        if self.input is None and self.message is None:
            raise ValueError("The question is missing: send it as 'input' or 'message'")
        return self

    @property
    def text(self) -> str:
        return self.input if self.input is not None else str(self.message)


def create_app(assistant: Assistant) -> FastAPI:
    """The whole web application around one assistant, which the page shares."""
    set_assistant(assistant)
    for key, value in PAGE_OPTIONS.items():
        streamlit.config.set_option(key, value)
    # Streamlit allows one running page in a process, so it is made when the application starts and not before.
    page = streamlit.App(PAGE_SCRIPT, on_script_error=_show_page_error)
    app = FastAPI(
        title="Docent",
        description="Answers from the company's documents, with sources.",
        lifespan=lambda app: page.lifespan()(app),
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(RequestRecord, page_policy=PAGE_POLICY)
    _answer_errors(app)
    asking = Asking(assistant)
    limited = [Depends(_limiter(assistant.settings.requests_per_minute))]

    @app.post("/chat", dependencies=limited, summary="Answer a question, whole")
    async def chat(question: Question, request: Request) -> JSONResponse:
        return JSONResponse(await whole_answer(asking, question.text, question.session, request))

    @app.post("/stream_chat", dependencies=limited, summary="Answer a question as server-sent events")
    async def stream_chat(question: Question) -> Response:
        return await AnswerStream.open(asking, question.text, question.session)

    @app.get("/stream_chat", dependencies=limited, summary="The same, for a browser's EventSource")
    async def stream_chat_get(question: Annotated[Question, Query()]) -> Response:
        return await AnswerStream.open(asking, question.text, question.session)

    @app.get("/health", summary="Alive, and whether questions can be answered")
    async def health() -> dict[str, Any]:
        return await anyio.to_thread.run_sync(_health, assistant)

    @app.get("/documents/{document_id}", summary="Open the original of a document in the library")
    def document(document_id: int) -> Response:
        return _original(assistant, document_id)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(app.openapi()))

    app.mount("/", page)
    return app


def _health(assistant: Assistant) -> dict[str, Any]:
    """Alive is the answer itself; `ready` says whether a question would be answered now."""
    engine = assistant.engine_state()
    try:
        library = assistant.library.status()
    except DocentError as error:
        documents, passages, problem, note = 0, 0, str(error), ""
    else:
        documents, passages, problem, note = library.documents, library.passages, library.problem, library.note
    return {
        "status": "alive",
        "ready": engine.loaded and passages > 0 and not problem,
        "model_loaded": engine.loaded and engine.name != "extractive",
        "engine": engine.name,
        "model": engine.model,
        "documents": documents,
        "passages": passages,
        "problem": problem,
        "note": note,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _original(assistant: Assistant, document_id: int) -> Response:
    """The file of a catalogued document. Only PDF and plain text open in the browser: the rest is downloaded,
    because a page or a drawing from a document must never run as part of this site."""
    try:
        record = assistant.library.document(document_id)
    except DocentError as error:
        raise HTTPException(404, str(error)) from error
    # An attachment lies in its mail, and the mail is what there is to open.
    path = Path(record.paths[0] if record.member else record.path)
    if not path.is_file():
        raise HTTPException(
            404, f"{record.name} is no longer where it was read: ask for `docent ingest` to be run again."
        )
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        # No sandbox: browsers refuse to show a PDF inside one, and a PDF does not run as part of a site.
        media_type, disposition = "application/pdf", "inline"
    else:
        headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        media_type, disposition = "application/octet-stream", "attachment"
        if suffix in TEXT_SUFFIXES:
            media_type, disposition = f"text/plain; charset={_charset(path)}", "inline"
    return FileResponse(
        path, media_type=media_type, filename=path.name, content_disposition_type=disposition, headers=headers
    )


def _charset(path: Path) -> str:
    """The encoding to name to the browser: what the file's first bytes allow."""
    with path.open("rb") as file:
        head = file.read(65536)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character cut in two by the end of what was read is not an error of the file.
        return "utf-8" if error.start >= len(head) - 3 and len(head) == 65536 else "gb18030"
    return "utf-8"


def _limiter(per_minute: int) -> Any:
    """A dependency that lets each caller address ask `per_minute` questions in any sixty seconds."""
    window = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
    allowance = limits.RateLimitItemPerMinute(per_minute)

    def limit(request: Request) -> None:
        caller = request.client.host if request.client else "unknown"
        if not window.hit(allowance, caller):
            seconds = max(1, round(window.get_window_stats(allowance, caller).reset_time - time.time()))
            line = f"More than {per_minute} questions in a minute: ask again in {seconds} seconds."
            raise HTTPException(429, line, headers={"Retry-After": str(seconds)})

    return limit


def _answer_errors(app: FastAPI) -> None:
    """Every error leaves as JSON: one line and the request id under which the log has the details."""

    def answer(status: int, line: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": line, "request_id": request_id()}, status, headers)

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        retry = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
        return answer(error.status, str(error), retry)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        reason = str(first["msg"]).removeprefix("Value error, ")
        line = f"'{where}': {reason}." if where else f"{reason}."
        if first["type"] == "json_invalid":
            line = 'The body is not JSON: send {"input": "your question"}.'
        return answer(422, re.sub(r"\s+", " ", line))

    @app.exception_handler(StarletteHTTPException)
    async def refused_by_route(_request: Request, error: StarletteHTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), error.headers)


def _show_page_error(error: Exception) -> bool:
    """One line in the page instead of a traceback; the log has the rest."""
    strings = strings_for(streamlit.context.locale)
    reference = request_id()
    log.error("page failed", request_id=reference, exc_info=error)
    message = str(error) if isinstance(error, DocentError) else f"Something went wrong; the log has it as {reference}."
    streamlit.error(strings.failed.format(message=message, request_id=reference))
    return True


def _docs_page(schema: dict[str, Any]) -> str:
    """The routes as one page. FastAPI's own page loads its scripts from another site, which an office may not reach."""
    parts = []
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            fields = [
                f"<li><code>{escape(field['name'])}</code> {escape(field.get('description', ''))}</li>"
                for field in route.get("parameters", [])
            ]
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            model = schema.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rsplit("/", 1)[-1], {})
            fields += [
                f"<li><code>{escape(name)}</code> {escape(field.get('description', ''))}</li>"
                for name, field in model.get("properties", {}).items()
            ]
            parts.append(
                f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(route.get('summary', ''))}</p>"
            )
            parts.append(f"<ul>{''.join(fields)}</ul>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>Docent API</title><style>body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "h2{margin:2rem 0 0;font-size:1.1rem}</style><h1>Docent API</h1><p>Errors are JSON: one line as "
        '<code>error</code>, and <code>request_id</code>. The same as a file: <a href="/openapi.json">openapi.json</a>.'
        f"</p>{''.join(parts)}</html>"
    )


def serve(assistant: Assistant, host: str, port: int) -> None:
    """Run until stopped by a signal. Raises DocentError when the address cannot be listened on."""
    check_address(host, port)
    config = uvicorn.Config(
        create_app(assistant), host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5,
        log_level="warning",
    )  # fmt: skip
    log.info("serving", host=host, port=port)
    uvicorn.Server(config).run()


def check_address(host: str, port: int) -> None:
    """Raise DocentError when the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            line = f"Port {port} on {host} is taken: stop what uses it or choose another with `docent serve --port`."
        else:
            line = f"Cannot listen on {host}, port {port} ({error.strerror}): choose another with --host and --port."
        raise DocentError(line) from error
