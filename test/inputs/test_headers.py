"""What is wrong with the headers of a stream: nothing, as long as stamps and arrivals agree."""

from __future__ import annotations

import pytest
import running
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.inputs.headers import HeaderCheck

PERIOD_NS = 50_000_000


def problems_of(stamps_ns: list[int], frame_id: str = running.FRAME_ID) -> dict[str, str]:
    """The problems after images that arrive at 20 Hz."""
    check = HeaderCheck()
    for number, stamp_ns in enumerate(stamps_ns):
        header = running.header(stamp_ns)
        header.frame_id = frame_id
        check.update(header, number * PERIOD_NS)
    return {kind: text for kind, text in check.problems.items() if text is not None}


def every(step_ns: int, count: int = 20) -> list[int]:
    return [running.FIRST_NS + number * step_ns for number in range(count)]


@given(st.lists(st.sampled_from([0, -(10**9), 500_000, 33_333_333, 10**10]), min_size=1))
def test_steps_of_frames_gaps_and_equal_stamps_are_no_problem(steps_ns: list[int]) -> None:
    stamps_ns = [running.FIRST_NS]
    for step_ns in steps_ns:
        stamps_ns.append(stamps_ns[-1] + step_ns)
    assert problems_of(stamps_ns) == {}


@pytest.mark.parametrize("step_ns", [1, 33, 33_333, 499_999])
def test_steps_that_are_too_short_are_one_with_both_rates(step_ns: int) -> None:
    (text,) = problems_of(every(step_ns)).values()
    assert "20 Hz" in text
    assert f"{1e9 / step_ns:.3g} Hz" in text


def test_a_few_short_steps_are_none() -> None:
    assert problems_of(every(33_333, count=9)) == {}
    assert problems_of([*every(33_333), running.FIRST_NS + 10**9]) == {}


def test_short_steps_count_as_frames() -> None:
    check, scales = HeaderCheck(), []
    for stamp_ns in (0, 1000, 1000 + 33_333_000, 0):
        check.update(running.header(running.FIRST_NS + stamp_ns), 0)
        scales.append(check.stamp_scale)
    assert scales == [1.0, 33_333.0, 1.0, 1.0]


def test_a_negative_stamp_and_no_frame_id_are_problems() -> None:
    assert "-1 ns" in problems_of([-1])["stamp"]
    assert "frame_id" in problems_of([1], frame_id="")["frame_id"]
