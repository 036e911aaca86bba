"""`docent serve`: serves the page and the HTTP API in one process."""

from __future__ import annotations

from typing import Any

import click

from ingest.base.logs import configure_logs
from ui.cli.terminal.options import settings_from, settings_options


@click.command("serve")
@settings_options("home", "host", "port", "engine", "model", "log_level")
def serve_command(**flags: Any) -> int:
    """Serve the page and the HTTP API.

    By default on http://127.0.0.1:8501.
    """
    from assistant.assistant import Assistant
    from ui.http.server import check_address, serve

    settings = settings_from(flags)
    check_address(settings.host, settings.port)
    configure_logs(settings.log_level, settings.home / "logs")
    assistant = Assistant(settings)
    try:
        assistant.library.follow()
        assistant.keep_thresholds_fitted()
        assistant.engines.load_in_background(announce=lambda note: click.echo(note, err=True))
        click.echo(f"Docent is at http://{settings.host}:{settings.port}; press Ctrl-C to stop it.", err=True)
        serve(assistant, settings.host, settings.port)
    finally:
        assistant.close()
    return 0
