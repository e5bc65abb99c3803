"""Which bounds the figures of a soak run violate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """The bounds of a run.

    Memory is judged in runs of five minutes and more, processed frames where the camera leaves
    time for each, and rejected images with room for those dropped for newer ones. With an infinite
    factor of latency nothing need be processed in a third of the run.
    """

    slope_mb_min: float = 1.0
    slope_from_s: float = 300.0
    latency_factor: float = 1.5
    latency_extra_ms: float = 5.0
    unprocessed: float = 0.05
    unprocessed_up_to_hz: float = 30.0
    rejected: float = 0.8
    fairness: float = 1.5
    processed_hz: float = 2.0


def judge(report: Mapping[str, Any], bounds: Bounds) -> list[str]:
    """Return a message for each violated bound."""
    nodes = report["nodes"]
    violations = [
        f"{node['name']}: {message}"
        for node in nodes
        for judge_one in (_life, _memory, _latency, _processed, _rejections, _accepted)
        for message in judge_one(node, bounds)
    ]
    return violations + list(_fairness(report, bounds))


def _life(node: Mapping[str, Any], _bounds: Bounds) -> Iterator[str]:
    if node["ended_early"] or node["exit_code"] != 0:
        when = "before its time" if node["ended_early"] else "when it was interrupted"
        yield f"the node ended {when}, with exit code {node['exit_code']}"
    if node["tracebacks"]:
        yield f"the node's log has {node['tracebacks']} tracebacks"


def _memory(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    slope = node["process"].get("slope_mb_min")
    is_judged = node["duration_s"] >= bounds.slope_from_s and slope is not None
    if is_judged and slope >= bounds.slope_mb_min:
        yield (
            f"memory grows by {slope:.2f} MB/min after {node['process']['slope_from_min']:g} min, "
            f"allowed is less than {bounds.slope_mb_min:g}"
        )


def _latency(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    first, _, last = node["latency_thirds_ms"]
    if math.isinf(bounds.latency_factor):
        return
    if first is None or last is None:
        yield f"nothing was processed in the {'first' if first is None else 'last'} third"
        return
    limit = bounds.latency_factor * first + bounds.latency_extra_ms
    if last > limit:
        yield (
            f"the median latency grows from {first:.1f} ms in the first third to {last:.1f} ms "
            f"in the last, allowed is {limit:.1f}"
        )


def _processed(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    expected, unprocessed = node["frames"]["expected"], node["frames"]["unprocessed"]
    is_judged = 0 < node["rate_hz"] <= bounds.unprocessed_up_to_hz
    if is_judged and unprocessed > bounds.unprocessed * expected:
        yield (
            f"{unprocessed} of {expected} good frames were not processed "
            f"({unprocessed / expected:.1%}), allowed is {bounds.unprocessed:.0%}"
        )


def _rejections(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    frames = node["frames"]
    if frames["processed_invalid"]:
        yield f"{frames['processed_invalid']} invalid images were processed"
    if frames["rejected"] > frames["invalid"]:
        yield f"{frames['rejected']} images were rejected, but {frames['invalid']} were invalid"
    if frames["rejected"] < bounds.rejected * frames["invalid_expected"]:
        yield (
            f"{frames['rejected']} of {frames['invalid_expected']} invalid images were counted as "
            f"rejected, expected is at least {bounds.rejected:.0%}"
        )


def _accepted(node: Mapping[str, Any], _bounds: Bounds) -> Iterator[str]:
    for kind, outcome in (
        ("unprocessed", "never processed"),
        ("wrong", "not processed as expected"),
    ):
        names = node["requests"][kind]
        if names:
            yield f"{len(names)} requests were {outcome}: {'; '.join(names[:5])}"


def _fairness(report: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    nodes: Sequence[Mapping[str, Any]] = report["nodes"]
    if len(nodes) < 2:
        return
    ratio = report["fairness"]["max_over_min"]
    if ratio > bounds.fairness:
        yield (
            f"one node processes {ratio:.2f} times as many frames as another, "
            f"allowed is {bounds.fairness:g}"
        )
    for node in nodes:
        if node["processed_hz"] < bounds.processed_hz:
            yield (
                f"{node['name']}: {node['processed_hz']:.1f} frames per second, "
                f"expected is at least {bounds.processed_hz:g}"
            )
