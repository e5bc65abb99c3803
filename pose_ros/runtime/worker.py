"""The newest-frame slot: one thread that always works on the latest item and keeps no backlog."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestWorker(Generic[Item]):
    """Runs `process` in a thread of its own, on the newest item that was offered.

    `process` must not raise: the thread would end.
    """

    def __init__(self, process: Callable[[Item], None], name: str) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._waiting: Item | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> bool:
        """Put an item into the slot; return whether one that still waited there was dropped."""
        with self._changed:
            dropped = self._waiting is not None
            self._waiting = item
            self._changed.notify()
        return dropped

    def drop(self) -> None:
        """Drop what waits; the item at work goes on."""
        with self._changed:
            self._waiting = None

    def release(self) -> None:
        """Drop what waits, let the item at work finish, and end the thread."""
        with self._changed:
            self._stopped, self._waiting = True, None
            self._changed.notify()
        self._thread.join()

    def _take(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._waiting is not None)
            item, self._waiting = self._waiting, None
        return item

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._process(item)
