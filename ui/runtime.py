"""The one Assistant of this process, shared by the page and the HTTP API.

Streamlit runs the page as a script, so the page cannot get its assistant as an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.base.errors import DocentError

if TYPE_CHECKING:
    from assistant.assistant import Assistant

_assistant: Assistant | None = None


def set_assistant(assistant: Assistant) -> None:
    """From now on `get_assistant` returns this assistant."""
    global _assistant
    _assistant = assistant


def get_assistant() -> Assistant:
    """The assistant of this process. Raises DocentError when the page was started without one."""
    if _assistant is None:
        raise DocentError("The page has no assistant: start it with `docent serve`, not with `streamlit run`.")
    return _assistant
