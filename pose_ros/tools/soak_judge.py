"""Which bounds the figures of a soak run break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """What a run must keep to.

    Memory is judged in runs of five minutes and more, answers where the camera
    gives the node time for each frame, and refusals with room for images that gave way to newer
    ones.
    """

    slope_mb_min: float = 1.0
    slope_from_s: float = 300.0
    latency_factor: float = 1.5
    latency_extra_ms: float = 5.0
    unanswered: float = 0.05
    unanswered_up_to_hz: float = 30.0
    refused: float = 0.8
    fairness: float = 1.5
    answered_hz: float = 2.0


def judge(report: Mapping[str, Any], bounds: Bounds) -> list[str]:
    """Return a sentence for each bound that is broken."""
    nodes = report["nodes"]
    broken = [
        f"{node['name']}: {sentence}"
        for node in nodes
        for judge_one in (_life, _memory, _latency, _answers, _refusals, _granted)
        for sentence in judge_one(node, bounds)
    ]
    return broken + list(_fairness(report, bounds))


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
            f"allowed are less than {bounds.slope_mb_min:g}"
        )


def _latency(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    first, _, last = node["latency_thirds_ms"]
    if first is None or last is None:
        yield f"nothing was answered in the {'first' if first is None else 'last'} third"
        return
    limit = bounds.latency_factor * first + bounds.latency_extra_ms
    if last > limit:
        yield (
            f"the median latency grows from {first:.1f} ms in the first third to {last:.1f} ms "
            f"in the last, allowed are {limit:.1f}"
        )


def _answers(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    owed, unanswered = node["frames"]["owed"], node["frames"]["unanswered"]
    is_judged = 0 < node["rate_hz"] <= bounds.unanswered_up_to_hz
    if is_judged and unanswered > bounds.unanswered * owed:
        yield (
            f"{unanswered} of {owed} good frames have no answer ({unanswered / owed:.1%}), "
            f"allowed are {bounds.unanswered:.0%}"
        )


def _refusals(node: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    frames = node["frames"]
    if frames["answered_spoilt"]:
        yield f"{frames['answered_spoilt']} spoilt images were answered"
    if frames["refused"] > frames["spoilt"]:
        yield f"{frames['refused']} images were refused, but {frames['spoilt']} were spoilt"
    if frames["refused"] < bounds.refused * frames["spoilt_owed"]:
        yield (
            f"{frames['refused']} of {frames['spoilt_owed']} spoilt images were counted as "
            f"refused, demanded are {bounds.refused:.0%}"
        )


def _granted(node: Mapping[str, Any], _bounds: Bounds) -> Iterator[str]:
    for kind, words in (("unanswered", "never answered"), ("wrong", "not answered as expected")):
        names = node["requests"][kind]
        if names:
            yield f"{len(names)} requests were {words}: {'; '.join(names[:5])}"


def _fairness(report: Mapping[str, Any], bounds: Bounds) -> Iterator[str]:
    nodes: Sequence[Mapping[str, Any]] = report["nodes"]
    if len(nodes) < 2:
        return
    ratio = report["fairness"]["max_over_min"]
    if ratio > bounds.fairness:
        yield (
            f"one node answers {ratio:.2f} times as often as another, "
            f"allowed are {bounds.fairness:g}"
        )
    for node in nodes:
        if node["answered_hz"] < bounds.answered_hz:
            yield (
                f"{node['name']}: {node['answered_hz']:.1f} answers a second, "
                f"demanded are {bounds.answered_hz:g}"
            )
