"""Loads the engine once, at the start of a command or in the background of a server, and reports its state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from assistant.engines.admission import Admission, Refused
from assistant.engines.choose import EngineChoice, choose_engine
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)
# How many seconds a caller is asked to wait while the model is loading.
RETRY_SECONDS = 5


@dataclass(frozen=True)
class EngineState:
    """The engine that answers now; `name` is '' until it is loaded.

    `note` is one line for people when it is not the best engine or cannot be loaded, else ''. `loaded` is False also
    while the engine's process has ended.
    """

    name: str
    model: str
    note: str
    loaded: bool


class EngineLoader:
    """The one engine of a process. Call `load` before a question is asked, and `close` at the end."""

    def __init__(
        self, settings: Settings, admission: Admission, choose: Callable[[Settings], EngineChoice] = choose_engine
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._choose = choose
        self._choice: EngineChoice | None = None
        self._problem = ""

    def load(self) -> EngineChoice:
        """Load the engine, if it is not loaded yet, and return it; this may take seconds.

        Raises DocentError when the settings name an engine and it cannot be loaded.
        """
        if self._choice is None:
            self._choice = self._choose(self._settings)
            if self._choice.engine is not None:
                self._admission.at_once = self._choice.engine.at_once
            log.info("engine.ready", engine=self._choice.name, model=self._choice.model)
        return self._choice

    def load_in_background(self, announce: Callable[[str], None] = print) -> None:
        """Load the engine in a thread, so that the page opens at once.

        A failure is logged and becomes the note of `state`. `announce` is called with the engine's note, when it has
        one.
        """

        def run() -> None:
            try:
                choice = self.load()
                if choice.note:
                    announce(choice.note)
            except DocentError as error:
                log.error("engine.failed", reason=str(error), exc_info=True)
                self._problem = str(error)
            except Exception as error:
                # Nobody waits for this thread: without the note the page would show "still loading" for ever.
                log.error("engine.failed", exc_info=True)
                self._problem = (
                    f"The model could not be loaded ({type(error).__name__}); the log has the details: "
                    "correct the cause and restart, or set `engine` to extractive."
                )

        threading.Thread(target=run, name="engine-loader", daemon=True).start()

    def loaded(self) -> EngineChoice:
        """The engine. Raises Refused (503) while it is loading, or when it could not be loaded."""
        if self._choice is None:
            loading = "The model is still loading: ask again in a few seconds."
            raise Refused(503, self._problem or loading, RETRY_SECONDS)
        return self._choice

    @property
    def state(self) -> EngineState:
        if self._choice is None:
            return EngineState("", self._settings.model, self._problem, loaded=False)
        alive = self._choice.engine is None or self._choice.engine.alive
        return EngineState(self._choice.name, self._choice.model, self._choice.note, loaded=alive)

    def close(self) -> None:
        if self._choice is not None and self._choice.engine is not None:
            self._choice.engine.close()
