"""What is published of bodies by REP 155, built without a node."""

from __future__ import annotations

from typing import Any

import hri
import numpy as np
import pytest
from synthetic.angles import body_at_angles

from outputs.test_messages import HEADER, IMAGE, SIZE, frame, located, pose
from outputs.test_transforms import FACING
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.inputs.images import rgb_from_image
from pose_ros.outputs.body_ids import body_id
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.hri_messages import (
    SKELETON,
    body_transforms,
    cropped,
    ids_list,
    joint_states,
    roi,
    skeleton2d,
)

TYPES = hri.types()
WIDTH, HEIGHT = SIZE


def somebody(person_id: int = 1, count: int = 33, **fields: Any) -> Person:
    """Somebody whose landmarks are all visible, between 20 and 40 px from left and top."""
    places = np.linspace(20, 40, count)
    whole: dict[str, Any] = {
        "landmarks_px": np.column_stack((places, places, 0 * places)),
        "visibility": np.full(count, 0.9),
        "presence": np.ones(count),
        "world_landmarks_m": body_at_angles({"left_knee_flexion": 50}) if count == 33 else None,
    }
    return Person(pose(person_id, count, **{**whole, **fields}))


def shown(*people: Person, **fields: Any) -> Frame:
    return frame(*people, **{"topology": FULL_BODY, **fields})


def content(message: Any) -> dict[str, Any]:
    assert message.header == HEADER
    return hri.fields(message)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "p7"),
        ("front/", "front_p7"),
        ("robot 1/eye-2/", "robot_1_eye_2_p7"),
        ("3d/", "p3d_p7"),
    ],
)
def test_ids_start_with_a_letter_and_fit_into_topics(prefix: str, name: str) -> None:
    assert body_id(prefix, 7) == name


def test_the_people_of_the_frame_are_tracked() -> None:
    assert content(ids_list(shown(somebody(2), somebody(9)), TYPES)) == {"ids": ["p2", "p9"]}
    assert content(ids_list(shown(), TYPES)) == {"ids": []}


def test_the_region_is_around_the_visible_landmarks_with_a_margin() -> None:
    person = somebody()
    found = content(roi(shown(person), person, TYPES))
    expected = {"xmin": 18 / WIDTH, "ymin": 18 / HEIGHT, "xmax": 42 / WIDTH, "ymax": 42 / HEIGHT}
    assert found == pytest.approx({**expected, "c": person.pose.score}, abs=1e-6)


def test_invisible_landmarks_do_not_count_for_the_region() -> None:
    visibility = np.full(33, 0.9)
    visibility[-1] = 0.1
    person = somebody(visibility=visibility)
    assert content(roi(shown(person), person, TYPES))["xmax"] < 42 / WIDTH - 0.005


@pytest.mark.parametrize("shift_px", [-300.0, 0.0, 300.0])
def test_region_and_image_of_somebody_who_is_not_visible_are_inside_of_the_image(
    shift_px: float,
) -> None:
    landmarks_px = np.full((33, 3), shift_px)
    person = somebody(landmarks_px=landmarks_px, visibility=np.zeros(33))
    found = content(roi(shown(person), person, TYPES))
    assert all(0 <= found[side] <= 1 for side in ("xmin", "ymin", "xmax", "ymax"))
    image = rgb_from_image(cropped(shown(person), person, TYPES))
    assert min(image.shape) > 0


def test_the_image_is_cut_out_of_the_region() -> None:
    person = somebody()
    message = cropped(shown(person), person, TYPES)
    assert message.header == HEADER
    np.testing.assert_array_equal(rgb_from_image(message), IMAGE[18:42, 18:42])


def test_the_skeleton_has_its_points_in_the_order_of_the_message() -> None:
    person = somebody()
    points = content(skeleton2d(shown(person), person, TYPES))["skeleton"]
    assert len(points) == len(SKELETON) == 18
    at = dict(zip(FULL_BODY.names, person.pose.landmarks_px / (WIDTH, HEIGHT, 1), strict=True))
    at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    for name, point in zip(SKELETON, points, strict=True):
        assert (point["x"], point["y"]) == pytest.approx(at[name][:2], abs=1e-6)
        assert point["c"] == pytest.approx(0.9)


def test_the_order_is_that_of_the_constants() -> None:
    if not hasattr(TYPES.Skeleton2D, "RIGHT_EAR"):
        pytest.skip("hri_msgs is not installed, and not on PyPI")
    assert [getattr(TYPES.Skeleton2D, name.upper()) for name in SKELETON] == [*range(18)]


def test_points_outside_of_the_image_and_of_legs_that_a_model_has_not_are_marked() -> None:
    person = somebody(landmarks_px=np.full((33, 3), -5.0))
    for point in content(skeleton2d(shown(person), person, TYPES))["skeleton"]:
        assert point == {"x": 0.0, "y": 0.0, "c": 0.0}
    upper = somebody(count=25)
    points = content(skeleton2d(shown(upper, topology=UPPER_BODY), upper, TYPES))["skeleton"]
    without = {name for name, point in zip(SKELETON, points, strict=True) if not point["c"]}
    assert without == {f"{s}_{part}" for s in ("left", "right") for part in ("knee", "ankle")}


def test_joints_have_the_names_of_the_human_model() -> None:
    person = somebody(7)
    message = joint_states(shown(person), person, TYPES)
    assert message.header == HEADER
    found = dict(zip(message.name, message.position, strict=True))
    assert len(found) == 20
    assert found["l_knee_p7"] == pytest.approx(-np.radians(50))
    assert found["waist_p7"] == 0.0
    upper = somebody(count=25)
    assert not joint_states(shown(upper, topology=UPPER_BODY), upper, TYPES).name


def test_the_body_is_a_frame_where_the_position_is_known() -> None:
    person = located(somebody(7).pose, body_at_angles() @ FACING.T + (0, 0, 3))
    (transform,) = body_transforms(shown(person), person)
    assert transform.child_frame_id == "body_p7"
    assert transform.header == HEADER
    shift = transform.transform.translation
    assert (shift.x, shift.y, shift.z) == pytest.approx((0, 0, 3), abs=1e-6)
    assert body_transforms(shown(somebody()), somebody()) == []
