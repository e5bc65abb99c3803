"""Time stamps: what is the next frame, and what a jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.timeline import FRAME_NS, MAX_GAP_NS, Timeline

START_NS = 10**18
BEGUN = Timeline().advance(START_NS)


def test_the_first_frame_is_no_jump() -> None:
    assert Timeline(START_NS, FRAME_NS) == BEGUN


@given(st.integers(1, MAX_GAP_NS))
def test_time_goes_on_by_the_difference_of_the_stamps(step_ns: int) -> None:
    assert BEGUN.advance(START_NS + step_ns) == Timeline(START_NS + step_ns, FRAME_NS + step_ns)


@pytest.mark.parametrize("stamp_ns", [0, START_NS])
def test_zero_and_equal_stamps_count_as_a_frame(stamp_ns: int) -> None:
    assert BEGUN.advance(stamp_ns) == Timeline(START_NS, 2 * FRAME_NS)


def test_stamps_may_all_be_zero() -> None:
    assert Timeline().advance(0).advance(0) == Timeline(None, 2 * FRAME_NS)


@pytest.mark.parametrize("jump_ns", [-1, -START_NS // 2, MAX_GAP_NS + 1, 10**18])
def test_a_jump_begins_anew_and_is_told_once(jump_ns: int) -> None:
    jumped = BEGUN.advance(START_NS + 5).advance(START_NS + 5 + jump_ns)
    assert jumped == Timeline(START_NS + 5 + jump_ns, FRAME_NS, has_jumped=True)
    assert not jumped.advance(START_NS + 6 + jump_ns).has_jumped
