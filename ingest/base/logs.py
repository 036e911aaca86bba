"""Structured logs: readable lines on the console, JSON lines in a rotating file.

Everything that a caller passes is written. So callers pass identifiers and counts, and text of documents or questions
only to `debug`.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

import structlog

LOG_BYTES = 5_000_000
LOG_FILES = 5
# Libraries whose own messages are of no use to an administrator; only their errors are logged.
QUIET_LIBRARIES = (
    "httpx",
    "faiss",
    "sentence_transformers",
    "transformers",
    "modelscope",
    "modelscope_hub",
    "urllib3",
    "filelock",
)


class _LogFile(logging.handlers.RotatingFileHandler):
    """Reports a full or broken disk once, in one line; logging itself prints a traceback for every lost record."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._reported and sys.stderr is not None:
            reason = (
                f"the log {self.baseFilename} cannot be written ({error.strerror}): free some space or repair the disk"
            )
            sys.stderr.write(f"Warning: {reason}; until then log entries are lost.\n")
        self._reported = True


def configure_logs(level: str, folder: Path | None = None, console: bool = True) -> None:
    """Write every log record to the console (standard error) and, with a folder, to `docent.log` in it.

    A second call replaces the handlers of the first. Raises OSError when the folder cannot be made.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = []
    if console:
        stream = logging.StreamHandler(sys.stderr)
        stream.setFormatter(_formatter(shared, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())))
        handlers.append(stream)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = _LogFile(folder / "docent.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True)
        as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
        file.setFormatter(_formatter(shared, structlog.processors.format_exc_info, as_json))
        handlers.append(file)
    if not handlers:
        handlers.append(logging.NullHandler())
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "docent", False):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        handler.docent = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    root.setLevel(level.upper())
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)


def _formatter(shared: list[structlog.types.Processor], *last: structlog.types.Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=shared
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `get_logger(__name__).info("event", key=value)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
