"""Messages of the gesture node, built without a node."""

from __future__ import annotations

import hri
import numpy as np
import pytest
from std_msgs.msg import Header
from synthetic.postures import body_in_posture

from pose_ros.body.behavior import Doing
from pose_ros.outputs.gesture_messages import Shown, gesture_markers, hri_gesture, rays

Gesture = hri.types().Gesture
WRISTS_AND_HIPS = (15, 16, 23, 24)


def shown(*gestures: str) -> Shown:
    return Shown(9, Doing("standing", gestures), body_in_posture("standing").tolist())


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
    message = hri_gesture(Gesture, Header(), shown(*gestures), "")
    assert message.gesture == expected
    assert message.header.frame_id == "body_p9"


def test_the_prefix_of_the_pose_node_comes_before_the_id() -> None:
    message = hri_gesture(Gesture, Header(), shown("waving_left"), "front/")
    assert message.header.frame_id == "body_front_p9"


def test_what_has_no_name_there_is_no_message() -> None:
    assert hri_gesture(Gesture, Header(), shown("pointing_left"), "") is None


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axes", [slice(0, 3), 0, 1, 2])
def test_without_positions_there_are_neither_rays_nor_markers(
    unknown: float, axes: int | slice
) -> None:
    points_m = body_in_posture("standing")
    points_m[WRISTS_AND_HIPS, axes] = unknown
    nowhere = shown("pointing_left")._replace(xyz=points_m.tolist())
    assert not list(rays(nowhere))
    assert not gesture_markers(Header(), [nowhere]).markers
