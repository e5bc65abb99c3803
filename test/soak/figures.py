"""The figures of a soak run, from its records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from soak.record import BURST, GOOD, INVALID, SHIFTED, Frame, Record, Sample

_MINUTE_NS = 60 * 10**9
_PERIODS = 6
_PERCENTILES = {"median": 50, "p95": 95, "p99": 99}
_LOG_LINE = re.compile(r"\[(WARN|ERROR|FATAL)\] \[[\d.]+\] \[[^]]+\]: (.*)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_TRACEBACK = "Traceback (most recent call last)"

Floats = npt.NDArray[np.float64]


def figures(record: Record) -> dict[str, Any]:
    """Return the figures of one node."""
    latency = _latencies(record)
    duration_s = max(record.end_ns - record.start_ns, 1) / 1e9
    return {
        "name": record.name,
        "duration_s": duration_s,
        "rate_hz": record.rate_hz,
        "frames": _frame_counts(record, set(latency)),
        "processed_hz": sum(record.start_ns <= frame.sent_ns < record.end_ns for frame in latency)
        / duration_s,
        "annotated": record.annotated,
        "most_people": record.most_people,
        "latency_ms": _percentiles(_between(latency, record.start_ns, record.end_ns)),
        "latency_thirds_ms": _thirds(record, latency),
        "process": _process(record),
        "requests": _requests(record),
        "camera_restarts": record.restarts,
        "states": dict(record.states.most_common()),
        "logged": _logged(record.log),
        "tracebacks": record.log.count(_TRACEBACK),
        "exit_code": record.exit_code,
        "ended_early": record.ended_early,
        "periods": _periods(record, latency),
    }


def _latencies(record: Record) -> dict[Frame, float]:
    """Return the time from sending each processed frame to its landmarks, in ms."""
    frames = {frame.stamp_ns: frame for frame in record.frames}
    return {
        frames[result.stamp_ns]: (result.arrival_ns - frames[result.stamp_ns].sent_ns) / 1e6
        for result in record.results
        if result.stamp_ns in frames
    }


def _frame_counts(record: Record, processed: set[Frame]) -> dict[str, Any]:
    """Count the frames that were sent, and what became of them.

    The node is expected to process the good frames of the run that are outside all spans.
    """
    expected = [
        frame
        for frame in record.frames
        if frame.kind in (GOOD, SHIFTED) and _is_expected(frame, record)
    ]
    invalid = [frame for frame in record.frames if frame.kind in INVALID]
    return {
        "sent": len(record.frames),
        "by_kind": dict(Counter(frame.kind for frame in record.frames)),
        "processed": len(processed),
        "processed_invalid": sum(frame.kind in INVALID for frame in processed),
        "expected": len(expected),
        "unprocessed": sum(frame not in processed for frame in expected),
        "invalid": len(invalid),
        "invalid_expected": sum(_is_expected(frame, record) for frame in invalid),
        "dropped": record.dropped,
        "rejected": record.rejected,
    }


def _is_expected(frame: Frame, record: Record) -> bool:
    is_exempt = any(span.start_ns <= frame.sent_ns <= span.end_ns for span in record.spans)
    return record.start_ns <= frame.sent_ns < record.end_ns and not is_exempt


def _thirds(record: Record, latency: Mapping[Frame, float]) -> list[float | None]:
    """Return the median latency of the expected frames of each third of the run."""
    expected = {frame: ms for frame, ms in latency.items() if _is_expected(frame, record)}
    edges = np.linspace(record.start_ns, record.end_ns, 4)
    return [
        _percentiles(_between(expected, start_ns, end_ns))["median"]
        for start_ns, end_ns in pairwise(edges)
    ]


def _between(latency: Mapping[Frame, float], start_ns: float, end_ns: float) -> list[float]:
    """Return the latencies of frames of a time, without those that queued in a burst."""
    return [
        ms
        for frame, ms in latency.items()
        if start_ns <= frame.sent_ns < end_ns and frame.kind != BURST
    ]


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    return {
        name: float(np.percentile(values, percent)) if values else None
        for name, percent in _PERCENTILES.items()
    }


def _process(record: Record) -> dict[str, Any]:
    """Return the figures of the process; the memory slope is that of the settled heap.

    It settles in a minute; where requests keep changing models, in half of the run.
    """
    samples = record.samples
    if len(samples) < 2:
        return {}
    first, last = samples[0], samples[-1]
    half_ns = (record.end_ns - record.start_ns) // 2 if record.requests else 0
    settled_ns = max(_MINUTE_NS, half_ns)
    late = [item for item in samples if item.time_ns - record.start_ns >= settled_ns]
    return {
        "memory_mb": {
            "first": first.memory_mb,
            "last": last.memory_mb,
            "peak": max(item.memory_mb for item in samples),
            "shared_last": last.shared_mb,
        },
        "slope_from_min": settled_ns / _MINUTE_NS,
        "slope_mb_min": _slope_mb_min(late, lambda item: item.memory_mb),
        "slope_unshared_mb_min": _slope_mb_min(late, lambda item: item.memory_mb - item.shared_mb),
        "threads": [first.threads, last.threads],
        "files": [first.files, last.files],
        "cpu_share": (last.cpu_s - first.cpu_s) * 1e9 / (last.time_ns - first.time_ns),
    }


def _slope_mb_min(samples: Sequence[Sample], value: Any) -> float | None:
    """Return the slope of the line through a value of the samples, by least squares."""
    if len(samples) < 3:
        return None
    minutes = np.array([item.time_ns for item in samples]) / _MINUTE_NS
    return float(np.polyfit(minutes - minutes[0], [value(item) for item in samples], 1)[0])


def _requests(record: Record) -> dict[str, Any]:
    requests = record.requests
    return {
        "made": len(requests),
        "accepted": sum(item.is_accepted is True for item in requests),
        "rejected": sum(item.is_accepted is False for item in requests),
        "unprocessed": [item.name for item in requests if item.is_accepted is None],
        "wrong": [
            item.name
            for item in requests
            if item.is_accepted is not None and item.is_accepted != item.is_allowed
        ],
    }


def _logged(log: str) -> dict[str, int]:
    """Count the node's warnings and errors; numbers are left out."""
    found = Counter(f"{level}: {_NUMBER.sub('N', text)}" for level, text in _LOG_LINE.findall(log))
    return dict(found.most_common())


def _periods(record: Record, latency: Mapping[Frame, float]) -> list[dict[str, Any]]:
    """Return the figures over time: for each minute, or for each sixth of a short run."""
    step_ns = min(_MINUTE_NS, max(1, record.end_ns - record.start_ns) // _PERIODS)
    rows = []
    for start_ns in range(record.start_ns, record.end_ns - step_ns // 2, step_ns):
        end_ns = start_ns + step_ns
        samples = [item for item in record.samples if start_ns <= item.time_ns < end_ns]
        rows.append(
            {
                "from_s": (start_ns - record.start_ns) / 1e9,
                "to_s": (end_ns - record.start_ns) / 1e9,
                "sent": sum(start_ns <= frame.sent_ns < end_ns for frame in record.frames),
                "processed": sum(start_ns <= frame.sent_ns < end_ns for frame in latency),
                "latency_ms": _percentiles(_between(latency, start_ns, end_ns)),
                **_sampled(samples),
            }
        )
    return rows


def _sampled(samples: Sequence[Sample]) -> dict[str, float | None]:
    if len(samples) < 2:
        return dict.fromkeys(("memory_mb", "threads", "files", "cpu_share"))
    first, last = samples[0], samples[-1]
    return {
        "memory_mb": float(np.mean([item.memory_mb for item in samples])),
        "threads": max(item.threads for item in samples),
        "files": max(item.files for item in samples),
        "cpu_share": (last.cpu_s - first.cpu_s) * 1e9 / (last.time_ns - first.time_ns),
    }


def fairness(nodes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how evenly the nodes process: fastest over slowest, and Jain's index (1: evenly)."""
    rates_hz = np.array([node["processed_hz"] for node in nodes])
    squares = len(rates_hz) * float(np.sum(rates_hz**2))
    return {
        "max_over_min": float(rates_hz.max() / max(rates_hz.min(), 1e-9)),
        "jain": float(np.sum(rates_hz)) ** 2 / squares if squares else 0.0,
    }
