"""What a run of the demonstration showed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array
from pose_ros.blazepose.topology import HIPS
from pose_ros.tools.command import print_error
from pose_ros.tools.recorder import Result

NAME = "demo"
RESULTS = ("annotated.mp4", "landmarks.csv", "pose.png")
MIN_PROCESSED = 0.95


@dataclass(frozen=True)
class Summary:
    """What came back for the frames that the source sent, whose stamps are `sent_ns`."""

    sent_ns: tuple[int, ...]
    results: Mapping[int, Result]

    @property
    def processed(self) -> float:
        """The share of sent frames that have a result with exactly their stamp."""
        return len(self.results.keys() & set(self.sent_ns)) / max(1, len(self.sent_ns))

    def __str__(self) -> str:
        results = self.results.values()
        out_hz = _rate_hz([result.arrival_ns for result in results])
        latencies_ms = [result.latency_ns / 1e6 for result in results] or [math.nan]
        median_ms, p95_ms = np.percentile(latencies_ms, (50, 95))
        with_pose = sum(result.has_pose for result in results) / max(1, len(results))
        return f"""\
frames in          {len(self.sent_ns)} at {_rate_hz(self.sent_ns):.1f} Hz
frames out         {len(results)} at {out_hz:.1f} Hz
processed          {self.processed:.1%} of the frames in, each with its own stamp
latency            {median_ms:.1f} ms median, {p95_ms:.1f} ms p95 (image stamp to landmarks here)
frames with a pose {with_pose:.1%} of the frames out
{_positions(results)}"""


def report(summary: Summary, out: Path, was_interrupted: bool) -> int:
    """Print what was measured and where the files are; return the exit code."""
    if summary.sent_ns:
        print(summary)
    for name in RESULTS:
        if (out / name).exists():
            print(out / name)
    if was_interrupted:
        print_error(NAME, "interrupted")
    elif not summary.results:
        print_error(NAME, f"none of {len(summary.sent_ns)} frames was processed")
        return 1
    elif summary.processed < MIN_PROCESSED:
        print_error(
            NAME,
            f"warning: only {summary.processed:.1%} of the frames were processed, usual is more "
            f"than {MIN_PROCESSED:.0%}; is the machine busy?",
        )
    return 0


def _positions(results: Iterable[Result]) -> str:
    """Return where each person was first and last, by the middle of the hips."""
    hips_m: dict[int, list[Float32Array]] = {}
    for people in (result.landmarks for result in results):
        for person_id, xyz_m in zip(people.person_id, people.xyz, strict=True):
            hip_m = xyz_m[HIPS].mean(axis=0)
            if np.isfinite(hip_m).all():
                hips_m.setdefault(int(person_id), []).append(hip_m)
    lines = [f"{_point(seen[0])} to {_point(seen[-1])} (person {n})" for n, seen in hips_m.items()]
    return f"""\
positions          {(os.linesep + 19 * " ").join(lines) or "unknown"}
                   (m to the right, down and ahead of the camera, for an assumed field
                   of view of 60 degrees)"""


def _point(point_m: Float32Array) -> str:
    return "({:.1f}, {:.1f}, {:.1f})".format(*point_m)


def _rate_hz(times_ns: Sequence[int]) -> float:
    """Return the mean rate of events at these times; NaN for fewer than two."""
    duration_ns = max(times_ns, default=0) - min(times_ns, default=0)
    return (len(times_ns) - 1) * 1e9 / duration_ns if duration_ns else math.nan
