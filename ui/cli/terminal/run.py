"""Run a command and end with an exit code. Errors are one line on standard error, never a traceback."""

from __future__ import annotations

import os
import sys

import click

from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs


def run(command: click.Command, arguments: list[str] | None = None, name: str | None = None) -> int:
    """Run a command line, by default that of this process, and return its exit code.

    0: all went well; 1: it ran and some of it failed; 2: the command or its settings are wrong.
    """
    # Standard error belongs to the command's own messages until the command configures its logs.
    configure_logs("error", console=False)
    try:
        # As click's own `main` does, except that `main` ends with exit code 1 when the output pipe is closed.
        with command.make_context(name, sys.argv[1:] if arguments is None else list(arguments)) as context:
            code = command.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:  # after --help
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("Stopped. The work finished so far is kept.", err=True)
        return 1
    except DocentError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The program that reads our output (`| head`) has closed the pipe. Python writes once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last place before a person would see a traceback
        if not isinstance(error, OSError) or error.filename is None:
            return _unexpected(error)
        # For example a state folder that is a file, or that may not be written.
        click.echo(
            f"Error: {error.filename} cannot be used ({error.strerror}): repair it, or set DOCENT_HOME to a folder "
            "that can be written.",
            err=True,
        )
        return 1


def _unexpected(error: Exception) -> int:
    """A fault in Docent: one line, or the traceback with DOCENT_LOG_LEVEL=debug."""
    if os.environ.get("DOCENT_LOG_LEVEL", "").lower() == "debug":
        raise error
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    click.echo(
        f"Error: Docent failed unexpectedly ({reason}): run it again with DOCENT_LOG_LEVEL=debug to see the traceback.",
        err=True,
    )
    return 1
