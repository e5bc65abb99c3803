"""The judgment of a soak run: each bound can be violated, and nothing else is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from soak.figures import fairness, figures
from soak.judge import Bounds, judge
from soak.record import BURST, GOOD, INVALID, SHIFTED, Frame, Record, Request, Result, Sample, Span
from soak.text import as_text

SECOND_NS = 10**9


def sound_record(minutes: float = 6.0) -> Record:
    """A node that processes each of 10 frames per second in 20 ms, in 300 MB."""
    end_ns = round(minutes * 60 * SECOND_NS)
    stamps = range(0, end_ns, SECOND_NS // 10)
    record = Record("/camera0", 10.0, end_ns=end_ns, exit_code=0)
    record.frames = [Frame(GOOD, stamp, stamp + 5) for stamp in stamps]
    record.results = [Result(stamp, stamp + 5 + 20_000_000) for stamp in stamps]
    record.samples = [
        Sample(time_ns, 300.0, 60.0, 18, 26, 0.3 * time_ns / 1e9)
        for time_ns in range(0, end_ns, SECOND_NS)
    ]
    record.requests = [Request("set a=1", True, True), Request("set a=9", False, False)]
    record.states = Counter({"OK: persons: N": 360})
    return record


def verdict(*records: Record) -> list[str]:
    nodes = [figures(record) for record in records]
    report: dict[str, Any] = {"nodes": nodes}
    if len(nodes) > 1:
        report["fairness"] = fairness(nodes)
    assert as_text(report).count("frames sent") == len(nodes)
    return judge(report, Bounds())


def assert_violated(record: Record, *values: str) -> None:
    """Exactly one bound is violated, and its message has the node's name and these values."""
    (message,) = verdict(record)
    assert [value for value in ("/camera0", *values) if value not in message] == [], message


def with_memory(record: Record, memory_mb: Callable[[float], float]) -> Record:
    """Let the memory be a function of the time in minutes."""
    samples = [item._replace(memory_mb=memory_mb(item.time_ns / 60e9)) for item in record.samples]
    return replace(record, samples=samples)


def with_unprocessed(record: Record, kind: str, count: int) -> Record:
    """Add frames of a kind, a second apart, that were not processed."""
    added = [
        Frame(kind, second * SECOND_NS + 1, second * SECOND_NS + 6) for second in range(count)
    ]
    return replace(record, frames=[*record.frames, *added])


def without_results(record: Record, start_s: float, end_s: float) -> Record:
    kept = [item for item in record.results if not start_s <= item.stamp_ns / 1e9 < end_s]
    return replace(record, results=kept)


def test_a_sound_run_violates_nothing() -> None:
    record = sound_record()
    assert verdict(record) == []
    found = figures(record)
    assert found["latency_ms"] == pytest.approx({"median": 20, "p95": 20, "p99": 20})
    assert found["processed_hz"] == pytest.approx(10)
    assert found["process"]["cpu_share"] == pytest.approx(0.3)
    assert [row["sent"] for row in found["periods"]] == [600] * 6


@pytest.mark.parametrize(("has_requests", "from_min"), [(False, "1 min"), (True, "3 min")])
def test_a_leak_is_reported(has_requests: bool, from_min: str) -> None:
    """Where requests keep changing models, the second half of the run is judged."""
    record = with_memory(sound_record(), lambda minutes: 300 + 2 * minutes)
    record.requests *= has_requests
    assert_violated(record, "2.00 MB/min", from_min)


@pytest.mark.parametrize(
    "memory_mb",
    [
        lambda minutes: 300 + 0.9 * minutes,
        lambda minutes: 300 + 200 * min(1.0, minutes),
        lambda minutes: 300 + 50 * min(3.0, minutes),
    ],
)
def test_little_growth_and_that_of_the_start_are_allowed(
    memory_mb: Callable[[float], float],
) -> None:
    assert verdict(with_memory(sound_record(), memory_mb)) == []


def test_memory_of_a_short_run_is_not_judged() -> None:
    record = with_memory(sound_record(4.0), lambda minutes: 300 + 2 * minutes)
    assert figures(record)["process"]["slope_mb_min"] == pytest.approx(2)
    assert verdict(record) == []


def test_growing_latency_is_reported() -> None:
    record = sound_record()
    record.results = [
        item._replace(arrival_ns=item.arrival_ns + item.stamp_ns // 10_000)
        for item in record.results
    ]
    assert_violated(record, "26.0 ms", "50.0 ms", "44.0")


def test_a_node_that_stops_processing_is_reported() -> None:
    violations = verdict(without_results(sound_record(), 200, 360))
    assert "last third" in violations[0]


@pytest.mark.parametrize(("code", "is_early"), [(-9, True), (1, False), (0, True)])
def test_a_node_that_ended_by_itself_is_reported(code: int, is_early: bool) -> None:
    record = replace(sound_record(), exit_code=code, ended_early=is_early)
    assert_violated(record, f"exit code {code}")


def test_a_traceback_is_reported() -> None:
    line = "internal error: Traceback (most recent call last):"
    record = replace(sound_record(), log=f"[ERROR] [1.5] [pose]: {line}\n x 7\n")
    assert_violated(record, "1 tracebacks")
    assert figures(record)["logged"] == {f"ERROR: {line}": 1}


def test_unprocessed_frames_are_reported_unless_they_are_exempt() -> None:
    record = without_results(sound_record(), 60, 96)
    assert_violated(record, "360 of 3600", "10.0%", "5%")
    assert verdict(replace(record, rate_hz=60.0)) == []  # too fast to process each
    record.spans = [Span("disabled", 60 * SECOND_NS, 96 * SECOND_NS)]
    assert verdict(record) == []


@pytest.mark.parametrize(("kind", "is_expected"), [(BURST, False), (SHIFTED, True)])
def test_of_a_burst_not_every_frame_must_be_processed(kind: str, is_expected: bool) -> None:
    assert bool(verdict(with_unprocessed(sound_record(), kind, 300))) == is_expected


@pytest.mark.parametrize(("rejected", "is_violated"), [(10, 0), (8, 0), (7, 1), (11, 1)])
def test_each_invalid_image_must_be_counted(rejected: int, is_violated: bool) -> None:
    """8 of 10 will do, as newer images may replace some."""
    record = replace(with_unprocessed(sound_record(), INVALID[0], 10), rejected=rejected)
    if is_violated:
        assert_violated(record, str(rejected), "10")
    else:
        assert verdict(record) == []


def test_a_processed_invalid_image_is_reported() -> None:
    record = replace(with_unprocessed(sound_record(), INVALID[1], 1), rejected=1)
    record.results.append(Result(1, 100))
    assert_violated(record, "1 invalid")


@pytest.mark.parametrize(
    "request_",
    [
        Request("set model=huge", False, True),
        Request("reset", True, False),
        Request("reset", True),
    ],
)
def test_requests_must_be_processed_as_expected(request_: Request) -> None:
    record = sound_record()
    record.requests.append(request_)
    assert_violated(record, request_.name)


def test_unfair_shares_are_reported() -> None:
    first, second = sound_record(), sound_record()
    assert verdict(first, second) == []
    second.results = second.results[::2]
    assert any("2.00" in message for message in verdict(first, second))
    second.results = second.results[::5]
    assert any("1.0 frames per second" in message for message in verdict(first, second))
