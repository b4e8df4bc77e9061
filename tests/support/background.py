"""Servers and proxies on an event loop of their own, for tests that wait in the ordinary way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
PATIENCE_S = 60.0


class Background:
    """`with Background() as here: server = here.enter(ForeignServer())`; what was entered ends with it."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._entered: list[AbstractAsyncContextManager[Any]] = []
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for one in reversed(self._entered):
                self.run(one.__aexit__(None, None, None))  # type: ignore[arg-type]
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_S)
            self._loop.close()

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        """Enter `manager` there."""
        entered = self.run(manager.__aenter__())  # type: ignore[arg-type]
        self._entered.append(manager)
        return entered

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, done there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)
