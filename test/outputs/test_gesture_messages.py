"""Messages of the gesture node that need a package which is not on PyPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from body.figures import body
from std_msgs.msg import Header

from pose_ros.body.behavior import Doing
from pose_ros.outputs.gesture_messages import Shown, gesture_markers, hri_gesture, rays


@dataclass
class Gesture:
    """The fields of hri_msgs/Gesture. ref: hri_msgs, msg/Gesture.msg"""

    LEFT_HAND_RAISED: ClassVar[int] = 3
    RIGHT_HAND_RAISED: ClassVar[int] = 4
    BOTH_HANDS_RAISED: ClassVar[int] = 5
    WAVING: ClassVar[int] = 6

    header: Header
    gesture: int


def shown(*gestures: str) -> Shown:
    return Shown(9, Doing("standing", gestures), body("standing").tolist())


@pytest.mark.parametrize(
    ("gestures", "expected"),
    [
        (("raising_left_arm",), Gesture.LEFT_HAND_RAISED),
        (("raising_right_arm",), Gesture.RIGHT_HAND_RAISED),
        (("raising_left_arm", "raising_right_arm"), Gesture.BOTH_HANDS_RAISED),
        (("raising_left_arm", "waving_left"), Gesture.WAVING),
        (("waving_right",), Gesture.WAVING),
    ],
)
def test_gestures_have_their_names_in_hri_msgs(gestures: tuple[str, ...], expected: int) -> None:
    message = hri_gesture(Gesture, Header(), shown(*gestures))
    assert message.gesture == expected
    assert message.header.frame_id == "body_p9"


def test_what_has_no_name_there_is_no_message() -> None:
    assert hri_gesture(Gesture, Header(), shown("pointing_left")) is None


def test_without_positions_there_are_neither_rays_nor_markers() -> None:
    nowhere = shown("pointing_left")._replace(xyz=np.full((33, 3), np.nan).tolist())
    assert not list(rays(nowhere))
    assert not gesture_markers(Header(), [nowhere]).markers
