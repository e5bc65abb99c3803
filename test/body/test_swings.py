"""Swings of a forearm."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from body.figures import HANGING, body, figure, waving_arm
from pose_ros.body.figure import Arm
from pose_ros.body.swings import Swings

HELD_UP = figure(body("standing", waving_arm(0.0))).arm("left")


def swung(angles_rad: Iterable[float | None], step_ns: int = 100_000_000) -> int:
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


def test_an_arm_that_hangs_begins_anew() -> None:
    swings, hanging = Swings(), figure(body("standing", HANGING)).arm("left")
    for time_ns, arm in enumerate((at(0.0), at(0.4), at(0.0), hanging)):
        swings.add(arm, time_ns)
    assert swings.count(3) == 0


def test_a_slow_swing_begins_a_row() -> None:
    assert swung([0.0, 0.4, 0.0], step_ns=800_000_000) == 2
    assert swung([0.0, 0.4, 0.0], step_ns=801_000_000) == 1


def test_swings_are_forgotten_after_two_seconds() -> None:
    assert swung([0.0, 0.4, *[0.4] * 20]) == 1
    assert swung([0.0, 0.4, *[0.4] * 21]) == 0
