"""Who asks to be followed, and who asks to be left."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic.limbs import UP, Limbs
from synthetic.postures import HANGING, body_in_posture, times, waving_arm

from pose_ros.blazepose.datatypes import Pose, Roi
from pose_ros.body.signals import Signals

RAISED: Limbs = (UP, UP)


def person(
    number: int, left: Limbs, right: Limbs = HANGING, is_held: bool = False, has_world: bool = True
) -> Pose:
    """Somebody who stands, with these arms; without world landmarks the image shows them."""
    points_m = body_in_posture("standing", left, right).astype(np.float32)
    ones, roi = np.ones(33, np.float32), Roi(np.array((200, 200), np.float32), 300, 0.0)
    return Pose(
        200 + 100 * points_m,
        ones,
        ones,
        np.zeros((2, 3), np.float32),
        0.9,
        roi,
        roi,
        number,
        world_landmarks_m=points_m if has_world else None,
        is_held=is_held,
    )


def test_who_waves_asks_to_be_followed_and_nobody_else() -> None:
    signals = Signals()
    for time_s, time_ns in times(1.5):
        signals.update((person(1, HANGING), person(2, waving_arm(time_s))), time_ns)
    assert signals.is_calling(2)
    assert not any((signals.is_calling(1), signals.is_calling(3), signals.is_sending_away(2)))


def test_both_arms_ask_to_be_left_and_one_does_not() -> None:
    signals = Signals()
    for _, time_ns in times(1.0):
        signals.update((person(1, RAISED, RAISED), person(2, RAISED)), time_ns)
    assert signals.is_sending_away(1)
    assert not signals.is_sending_away(2)
    assert not signals.is_calling(1)


@pytest.mark.parametrize("is_held", [False, True])
def test_who_is_held_asks_for_nothing(is_held: bool) -> None:
    signals = Signals()
    for time_s, time_ns in times(1.5):
        signals.update((person(1, waving_arm(time_s), is_held=is_held),), time_ns)
    assert signals.is_calling(1) is not is_held


def test_without_world_landmarks_the_image_shows_it() -> None:
    signals = Signals()
    for time_s, time_ns in times(1.5):
        signals.update((person(1, waving_arm(time_s), has_world=False),), time_ns)
    assert signals.is_calling(1)
