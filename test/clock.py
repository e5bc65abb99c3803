"""A clock that only tests move, to put in for a module's `time`."""

from __future__ import annotations

from types import ModuleType

import pytest


class Clock:
    """Stands still until it is moved, so that a busy machine changes nothing."""

    def __init__(self) -> None:
        self._now_ns = 10**12

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)

    def monotonic(self) -> float:
        return self._now_ns / 1e9

    def monotonic_ns(self) -> int:
        return self._now_ns

    def perf_counter_ns(self) -> int:
        return self._now_ns


def install(patch: pytest.MonkeyPatch, module: ModuleType) -> Clock:
    """Let a module that imports `time` have a clock instead."""
    clock = Clock()
    patch.setattr(module, "time", clock)
    return clock
