"""Swings of a forearm."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from synthetic.postures import HANGING, body_in_posture, figure_of, waving_arm

from pose_ros.body.figure import Arm
from pose_ros.body.swings import Swings

HELD_UP = figure_of(body_in_posture("standing", waving_arm(0.0))).arm("left")


def swung(angles_rad: Iterable[float | None], step_ns: int = 125_000_000) -> int:
    """Return the swings counted at the last of some angles of the forearm; None is no arm."""
    swings, time_ns = Swings(), 0
    for angle in angles_rad:
        time_ns += step_ns
        swings.add(at(angle), time_ns)
    return swings.count(time_ns)


def at(angle_rad: float | None) -> Arm | None:
    assert HELD_UP is not None
    return None if angle_rad is None else HELD_UP._replace(swing_rad=angle_rad)


@pytest.mark.parametrize(
    ("angles_rad", "count"),
    [
        ([0.0, 0.4, 0.0, 0.4, 0.0], 4),
        ([0.0, 0.29, 0.0, 0.29], 0),
        ([0.0, 0.1, 0.2, 0.4, 0.8], 1),
        ([0.0, 0.4, 0.0, None, 0.0, 0.4], 1),
    ],
)
def test_swings_are_counted_from_turn_to_turn(angles_rad: list[float | None], count: int) -> None:
    assert swung(angles_rad) == count


@pytest.mark.parametrize("start", [-0.2, 0.0, 0.2])
def test_it_does_not_matter_where_the_arm_is_at_first(start: float) -> None:
    assert swung([start, -0.2, 0.2, -0.2, 0.2]) >= 3


def test_an_arm_that_hangs_begins_anew() -> None:
    swings, hanging = Swings(), figure_of(body_in_posture("standing", HANGING)).arm("left")
    for index, arm in enumerate((at(0.0), at(0.4), at(0.0), hanging)):
        swings.add(arm, index * 125_000_000)
    assert swings.count(500_000_000) == 0


def test_an_arm_whose_elbow_is_hardly_visible_does_not_swing() -> None:
    swings = Swings()
    for index, angle in enumerate((0.0, 0.4, 0.0, 0.4)):
        arm = at(angle)
        assert arm is not None
        swings.add(arm._replace(is_elbow_visible=False), index * 125_000_000)
    assert swings.count(375_000_000) == 0


def test_a_slow_swing_begins_a_row() -> None:
    assert swung([0.0, 0.4, 0.3, 0.2, 0.0], step_ns=200_000_000) == 2
    assert swung([0.0, 0.4, 0.3, 0.2, 0.2, 0.2, 0.0], step_ns=200_000_000) == 1


@pytest.mark.parametrize("step_ns", [100_000_000, 1_000_000_000 // 30])
def test_an_arm_that_is_elsewhere_in_single_images_has_not_swung(step_ns: int) -> None:
    assert swung([0.0, 0.4, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0, 0.4, 0.0], step_ns) <= 2


def test_a_jump_begins_anew() -> None:
    steady = [0.0, 0.4, 0.0, 0.4]
    assert swung([*steady, 0.0]) == 4
    assert swung([*steady, 0.4 - 18.5 * 0.125]) == 0


def test_after_a_gap_swings_begin_anew() -> None:
    for gap_ns, count in ((250_000_000, 3), (251_000_000, 1)):
        swings, time_ns = Swings(), 0
        for angle, step_ns in ((0.0, 0), (0.4, 125_000_000), (0.0, gap_ns), (0.4, 125_000_000)):
            time_ns += step_ns
            swings.add(at(angle), time_ns)
        assert swings.count(time_ns) == count


def test_swings_are_forgotten_after_two_seconds() -> None:
    assert swung([0.0, 0.4, *[0.4] * 16]) == 1
    assert swung([0.0, 0.4, *[0.4] * 17]) == 0
