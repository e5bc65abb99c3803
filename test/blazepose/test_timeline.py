"""Time stamps: what is the next frame, and what a jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.timeline import FRAME_NS, MAX_GAP_NS, MIN_FRAME_NS, Timeline

START_NS = 10**18
BEGUN = Timeline().advance(START_NS)


def test_the_first_frame_is_no_jump() -> None:
    assert Timeline(START_NS, FRAME_NS) == BEGUN


@given(st.integers(MIN_FRAME_NS, MAX_GAP_NS))
def test_time_goes_on_by_the_difference_of_the_stamps(step_ns: int) -> None:
    assert BEGUN.advance(START_NS + step_ns) == Timeline(START_NS + step_ns, FRAME_NS + step_ns)


@given(st.integers(0, MIN_FRAME_NS - 1))
def test_a_step_below_any_frame_time_counts_as_a_frame(step_ns: int) -> None:
    assert BEGUN.advance(START_NS + step_ns) == Timeline(
        START_NS + step_ns, 2 * FRAME_NS, counted_as_frame=True
    )


def test_a_stamp_of_zero_counts_as_a_frame_and_is_not_remembered() -> None:
    assert BEGUN.advance(0) == Timeline(START_NS, 2 * FRAME_NS, counted_as_frame=True)
    assert Timeline().advance(0).advance(0) == Timeline(None, 2 * FRAME_NS, counted_as_frame=True)


@pytest.mark.parametrize("jump_ns", [-1, -START_NS // 2, MAX_GAP_NS + 1, 10**18])
def test_a_jump_resets_and_is_reported_once(jump_ns: int) -> None:
    start_ns = START_NS + 5 * FRAME_NS
    jumped = BEGUN.advance(start_ns).advance(start_ns + jump_ns)
    assert jumped == Timeline(start_ns + jump_ns, FRAME_NS, has_jumped=True)
    assert not jumped.advance(start_ns + jump_ns + 1).has_jumped
