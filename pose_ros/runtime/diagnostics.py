"""Health of the node: rates, ages, times of the stages, rejected images."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from pose_ros.blazepose.datatypes import Poses

# detect and landmark are parts of track
STAGES = ("decode", "detect", "landmark", "track", "position", "publish")

Status = tuple[bytes, str]
"""Level and message of a DiagnosticStatus."""


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """Who was in one image: the ids of those tracked, and how many are tentative or held.

    `detector_runs` is how often people were searched for.
    """

    ids: tuple[int, ...] = ()
    tentative: int = 0
    held: int = 0
    detector_runs: int = 0

    @classmethod
    def of(cls, poses: Poses) -> PeopleCounts:
        """Return the counts of the tracker's result."""
        ids = tuple(pose.person_id for pose in poses)
        return cls(ids, poses.tentative, len(poses.held), poses.detector_runs)


@dataclass
class _Window:
    """What happened since the last report."""

    started_s: float
    received: int = 0
    dropped: int = 0
    processed: int = 0
    people: PeopleCounts = PeopleCounts()
    persons_total: int = 0
    detector_runs: int = 0
    nobody_s: float = 0.0
    position_source: str = "none"
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_depth: Counter[str] = field(default_factory=Counter)
    stage_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    age_ms: list[float] = field(default_factory=list)


class Diagnostics:
    """Collects from the node's threads; `report` gives all since the report before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = _Window(time.monotonic())
        self._rejected_total = 0
        self._rejected_depth_total = 0
        self._dropped_total = 0
        self._jumps_total = 0
        self._ids_given = 0
        self._nobody_since_s: float | None = None

    def received(self) -> None:
        """Count an image message that came in."""
        with self._lock:
            self._window.received += 1

    def dropped(self) -> None:
        """Count an image that was dropped for a newer one before its turn."""
        with self._lock:
            self._window.dropped += 1
            self._dropped_total += 1

    def rejected(self, reason: str) -> int:
        """Count an image that could not be used; return how many there were in all."""
        with self._lock:
            self._window.rejected[reason] += 1
            self._rejected_total += 1
            return self._rejected_total

    def rejected_depth(self, reason: str) -> int:
        """Count a depth image that could not be used; return how many there were in all."""
        with self._lock:
            self._window.rejected_depth[reason] += 1
            self._rejected_depth_total += 1
            return self._rejected_depth_total

    def jumped(self) -> int:
        """Count a jump of the image stamps; return how many there were in all."""
        with self._lock:
            self._jumps_total += 1
            return self._jumps_total

    def processed(self, people: PeopleCounts, age_ns: int | None) -> None:
        """Count an image whose results went out, `age_ns` after its stamp (None: unknown)."""
        now_s = time.monotonic()
        with self._lock:
            if people.ids or self._nobody_since_s is None:
                self._nobody_since_s = now_s
            self._window.nobody_s = now_s - self._nobody_since_s
            self._window.processed += 1
            self._window.people = people
            self._window.persons_total += len(people.ids)
            self._window.detector_runs += people.detector_runs
            self._ids_given = max(self._ids_given, *people.ids, 0)
            if age_ns is not None:
                self._window.age_ms.append(age_ns / 1e6)

    def located(self, sources: Iterable[str]) -> None:
        """Note where the people's positions came from."""
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
        self, stamp: Time, name: str, known: Status | None, facts: Mapping[str, str]
    ) -> DiagnosticArray:
        """Return the message for `/diagnostics` and start a new window.

        `known` is what the node itself knows; None leaves it to the counts. `facts` are further
        keys and values, such as the model.
        """
        with self._lock:
            window, self._window = self._window, _Window(time.monotonic())
            totals = {
                "dropped total": str(self._dropped_total),
                "rejected total": str(self._rejected_total),
                "depth rejected total": str(self._rejected_depth_total),
                "time jumps total": str(self._jumps_total),
                "ids given": str(self._ids_given),
            }
        level, text = known or _summary(window)
        values = {**_values(window), **totals, **facts}
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


def _summary(window: _Window) -> Status:
    if window.rejected:
        reason, _ = window.rejected.most_common(1)[0]
        return DiagnosticStatus.WARN, f"images rejected: {window.rejected.total()} ({reason})"
    if window.dropped > window.processed:
        return (
            DiagnosticStatus.WARN,
            f"too slow: {window.dropped} of {window.received} images dropped for newer ones",
        )
    if window.rejected_depth:
        reason, _ = window.rejected_depth.most_common(1)[0]
        return DiagnosticStatus.WARN, f"depth rejected: {window.rejected_depth.total()} ({reason})"
    return DiagnosticStatus.OK, _who(window.people, window.nobody_s)


def _who(people: PeopleCounts, nobody_s: float) -> str:
    """Return who is tracked, by id, and how many are held."""
    ids = ", ".join(map(str, people.ids))
    text = f"persons: {len(people.ids)}"
    text += f" (id{'s' if len(people.ids) > 1 else ''} {ids})" if ids else ""
    text += f", held: {people.held}" if people.held else ""
    return text + (f", nobody for {nobody_s:.0f} s" if nobody_s >= 1 else "")


def _values(window: _Window) -> dict[str, str]:
    seconds = max(time.monotonic() - window.started_s, 1e-3)
    values = {
        "input rate Hz": f"{window.received / seconds:.1f}",
        "processed rate Hz": f"{window.processed / seconds:.1f}",
        "dropped": str(window.dropped),
        "detector runs per s": f"{window.detector_runs / seconds:.1f}",
        "persons": str(len(window.people.ids)),
        "persons tentative": str(window.people.tentative),
        "persons held": str(window.people.held),
        "position source": window.position_source,
    }
    for name in STAGES:
        values |= _mean_and_p95(f"{name} ms", window.stage_ms[name])
    if window.persons_total:
        tracking_ms = sum(window.stage_ms["track"]) - sum(window.stage_ms["detect"])
        values["ms per person"] = f"{tracking_ms / window.persons_total:.2f}"
    values |= _mean_and_p95("image age ms", window.age_ms)
    if window.rejected_depth:
        values["depth rejected"] = str(window.rejected_depth.total())
    return values | {f"rejected: {reason}": str(n) for reason, n in window.rejected.items()}


def _mean_and_p95(key: str, values: Sequence[float]) -> dict[str, str]:
    if not values:
        return {}
    return {
        f"{key} mean": f"{np.mean(values):.2f}",
        f"{key} p95": f"{np.percentile(values, 95):.2f}",
    }
