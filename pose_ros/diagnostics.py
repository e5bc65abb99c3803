"""Health of the node: rates, ages, times of the stages, refused images, and its troubles."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ROSClock

# detect and landmark are parts of track
STAGES = ("decode", "detect", "landmark", "track", "position", "publish")


@dataclass
class _Window:
    """What happened since the last report."""

    started_s: float
    received: int = 0
    dropped: int = 0
    answered: int = 0
    persons: int = 0
    detector_runs: int = 0
    nobody_s: float = 0.0
    position_source: str = "none"
    refused: Counter[str] = field(default_factory=Counter)
    stage_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    age_ms: list[float] = field(default_factory=list)


class Diagnostics:
    """Collects from the node's threads; `report` gives all since the report before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = _Window(time.monotonic())
        self._refused_total = 0
        self._dropped_total = 0
        self._nobody_since_s: float | None = None

    def received(self) -> None:
        """Count an image message that came in."""
        with self._lock:
            self._window.received += 1

    def dropped(self) -> None:
        """Count an image that gave way to a newer one before its turn."""
        with self._lock:
            self._window.dropped += 1
            self._dropped_total += 1

    def refused(self, reason: str) -> int:
        """Count an image that could not be used; return how many there were in all."""
        with self._lock:
            self._window.refused[reason] += 1
            self._refused_total += 1
            return self._refused_total

    def answered(self, persons: int, detector_runs: int, age_ns: int | None) -> None:
        """Count an image whose results went out, `age_ns` after its stamp (None: unknown)."""
        now_s = time.monotonic()
        with self._lock:
            if persons or self._nobody_since_s is None:
                self._nobody_since_s = now_s
            self._window.nobody_s = now_s - self._nobody_since_s
            self._window.answered += 1
            self._window.persons = persons
            self._window.detector_runs += detector_runs
            if age_ns is not None:
                self._window.age_ms.append(age_ns / 1e6)

    def positioned(self, sources: Iterable[str]) -> None:
        """Note where the people's places in space came from."""
        with self._lock:
            self._window.position_source = ", ".join(sorted(set(sources)))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage of one image."""
        start_ns = time.perf_counter_ns()
        yield
        elapsed_ms = (time.perf_counter_ns() - start_ns) / 1e6
        with self._lock:
            self._window.stage_ms[name].append(elapsed_ms)

    def report(
        self, stamp: Time, name: str, state: tuple[bytes, str] | None, facts: Mapping[str, str]
    ) -> DiagnosticArray:
        """Return the message for `/diagnostics` and start a new window.

        `state` (level, text) is what the node itself knows; None leaves it to the counts. `facts`
        are further keys and values, such as the model.
        """
        with self._lock:
            window, self._window = self._window, _Window(time.monotonic())
            totals = {"dropped total": self._dropped_total, "refused total": self._refused_total}
        level, text = state or _summary(window)
        values = {**_values(window), **{key: str(value) for key, value in totals.items()}, **facts}
        status = DiagnosticStatus(
            level=level,
            name=f"{name}: pose",
            message=text,
            hardware_id="",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = stamp
        return array


class Troubles:
    """Tells a trouble when it begins, and again only after it has ended."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._present: set[str] = set()

    def follow(self, kind: str, sentence: str | None) -> str | None:
        """Take the present state of one kind of trouble (None: there is none); return it."""
        if sentence is None:
            self._present.discard(kind)
        elif kind not in self._present:
            self._present.add(kind)
            self._tell(sentence)
        return sentence


def image_age_ns(clock: Clock, stamp_ns: int) -> int | None:
    """Return how long ago an image was taken; None if its stamp or the clock was never set."""
    now_ns: int = clock.now().nanoseconds
    return now_ns - stamp_ns if now_ns and stamp_ns else None


def clock_sentence(clock: Clock) -> str | None:
    """Return a warning where simulated time is asked for and nobody gives it, else None."""
    is_simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
    if not is_simulated or clock.now().nanoseconds:
        return None
    return (
        "use_sim_time is true, but no time has come on /clock: "
        "images are answered all the same, their age is unknown"
    )


def _summary(window: _Window) -> tuple[bytes, str]:
    if window.refused:
        reason, _ = window.refused.most_common(1)[0]
        return DiagnosticStatus.WARN, f"images refused: {window.refused.total()} ({reason})"
    if window.dropped > window.answered:
        return (
            DiagnosticStatus.WARN,
            f"too slow: {window.dropped} of {window.received} images gave way to newer ones",
        )
    nobody = f", nobody for {window.nobody_s:.0f} s" if window.nobody_s >= 1 else ""
    return DiagnosticStatus.OK, f"persons: {window.persons}{nobody}"


def _values(window: _Window) -> dict[str, str]:
    seconds = max(time.monotonic() - window.started_s, 1e-3)
    values = {
        "input rate Hz": f"{window.received / seconds:.1f}",
        "processed rate Hz": f"{window.answered / seconds:.1f}",
        "dropped": str(window.dropped),
        "detector runs per s": f"{window.detector_runs / seconds:.1f}",
        "persons": str(window.persons),
        "position source": window.position_source,
    }
    for name in STAGES:
        values |= _mean_and_p95(f"{name} ms", window.stage_ms[name])
    values |= _mean_and_p95("image age ms", window.age_ms)
    return values | {f"refused: {reason}": str(n) for reason, n in window.refused.items()}


def _mean_and_p95(key: str, values: Sequence[float]) -> dict[str, str]:
    if not values:
        return {}
    return {
        f"{key} mean": f"{np.mean(values):.2f}",
        f"{key} p95": f"{np.percentile(values, 95):.2f}",
    }
