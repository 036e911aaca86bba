"""`docent doctor`: prints the findings about this machine and its library, one line each."""

from __future__ import annotations

from typing import Any

import click

from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json


@click.command("doctor")
@json_option
@settings_options("home", "engine", "model", "embedder")
def doctor_command(as_json: bool, **flags: Any) -> int:
    """Examine machine, disk, library, models and hub.

    Each problem is printed with what to do about it. Exit code 1 when there is one.
    """
    from ui.doctor import examine

    findings = examine(settings_from(flags))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            click.echo(f"{'ok     ' if finding.ok else 'PROBLEM'}  {finding.name}: {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1
