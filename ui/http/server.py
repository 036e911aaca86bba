"""The web server: FastAPI, with the Streamlit page mounted at `/`, on one port.

Code that may block runs in a thread, never on the event loop: `/health` answers while a model generates.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import anyio.to_thread
import limits
import streamlit
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field, model_validator
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

import ui.page
from assistant.engines.admission import Refused
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ui.http.answers import Answering, AnswerStream, whole_answer
from ui.http.api_page import api_page
from ui.http.middleware import RequestMiddleware, request_id
from ui.http.originals import original
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


class Question(BaseModel):
    """A question, under either of the two names that clients use, and the conversation to continue."""

    input: str | None = Field(None, description="the question")
    message: str | None = Field(None, description="the question, under the other name clients use")
    session: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the conversation to continue")
    as_typed: bool = Field(False, description="search for the question word for word: nothing completed or corrected")

    @model_validator(mode="after")
    def has_a_question(self) -> Self:
        if self.input is None and self.message is None:
            raise ValueError("The question is missing: send it as 'input' or 'message'")
        return self

    @property
    def text(self) -> str:
        return self.input if self.input is not None else str(self.message)


def create_app(assistant: Assistant) -> FastAPI:
    """The complete web application: the page and the API, which share one assistant."""
    set_assistant(assistant)
    for key, value in PAGE_OPTIONS.items():
        streamlit.config.set_option(key, value)
    # Streamlit allows one running page per process, so the page is started with the application, not before.
    page = streamlit.App(PAGE_SCRIPT, on_script_error=_show_page_error)
    app = FastAPI(
        title="Docent",
        description="Answers from the company's documents, with sources.",
        lifespan=lambda app: page.lifespan()(app),
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(RequestMiddleware)
    _answer_errors(app)
    answering = Answering(assistant)
    limited = [Depends(_limiter(assistant.settings.requests_per_minute))]

    @app.post("/chat", dependencies=limited, summary="Answer a question in one response")
    async def chat(question: Question, request: Request) -> JSONResponse:
        answer = await whole_answer(answering, question.text, question.session, request, question.as_typed)
        return JSONResponse(answer)

    @app.post("/stream_chat", dependencies=limited, summary="Answer a question as server-sent events")
    async def stream_chat(question: Question) -> Response:
        return await AnswerStream.open(answering, question.text, question.session, question.as_typed)

    @app.get(
        "/stream_chat",
        dependencies=limited,
        summary="Answer a question as server-sent events, for a browser's EventSource",
    )
    async def stream_chat_get(question: Annotated[Question, Query()]) -> Response:
        return await AnswerStream.open(answering, question.text, question.session, question.as_typed)

    @app.get("/health", summary="Say that the server is alive, and whether it can answer questions")
    async def health() -> dict[str, Any]:
        return await anyio.to_thread.run_sync(_health, assistant)

    @app.get("/documents/{document_id}", summary="Open the original of a document in the library")
    def document(document_id: int) -> Response:
        return original(assistant, document_id)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()))

    app.mount("/", page)
    return app


def _health(assistant: Assistant) -> dict[str, Any]:
    """The response itself shows that the server is alive; `ready` says that a question can be answered now."""
    engine = assistant.engines.state
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


def _limiter(per_minute: int) -> Any:
    """A dependency that allows each caller address `per_minute` questions within any sixty seconds."""
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
    """Answer every error as JSON: one line, and the request id under which the log has the details."""

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
    """Show one line in the page and log the traceback. Returns True: Streamlit shows nothing of its own."""
    strings = strings_for(streamlit.context.locale)
    reference = request_id()
    log.error("page failed", request_id=reference, exc_info=error)
    message = (
        str(error)
        if isinstance(error, DocentError)
        else f"Something went wrong; the log has the details under {reference}."
    )
    streamlit.error(strings.failed.format(message=message, request_id=reference))
    return True


def serve(assistant: Assistant, host: str, port: int) -> None:
    """Run until a signal stops it. Raises DocentError when the server cannot listen on the address."""
    check_address(host, port)
    config = uvicorn.Config(
        create_app(assistant), host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5,
        log_level="warning",
    )  # fmt: skip
    log.info("serving", host=host, port=port)
    uvicorn.Server(config).run()


def check_address(host: str, port: int) -> None:
    """Raise DocentError when the server cannot listen on the address."""
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
