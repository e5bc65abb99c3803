"""The angles of joints: of bodies that were set to them, and what must not change them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic.angles import LEFT, MIRRORED_INDEX, body_at_angles, mirrored
from synthetic.skeleton import rotation_about

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.joints import JOINT_ANGLES, joint_angles

ALL = [f"{side}{row.name}" for row in JOINT_ANGLES for side in row.sides]
VISIBLE = np.ones(33)
SEEN_ONLY_BENT = {
    f"{side}{joint}_rotation" for side in ("left_", "right_") for joint in ("shoulder", "hip")
}
POSES: dict[str, dict[str, float]] = {
    "standing": {},
    "arms forward": {"left_shoulder_flexion": 90, "right_shoulder_flexion": 90},
    "arms aside": {"left_shoulder_abduction": 90, "right_shoulder_abduction": 90},
    "arms aside and up": {"left_shoulder_abduction": 150, "right_shoulder_abduction": 150},
    "one arm up, one back": {"left_shoulder_flexion": 170, "right_shoulder_flexion": -40},
    "hand at the belly": {"left_elbow_flexion": 90, "left_shoulder_rotation": 70},
    "ready to throw": {
        "right_shoulder_abduction": 90,
        "right_shoulder_rotation": -90,
        "right_elbow_flexion": 90,
    },
    "sitting": {
        f"{side}_{joint}_flexion": 90 for side in ("left", "right") for joint in ("hip", "knee")
    },
    "sitting with the legs apart": {
        "left_hip_flexion": 90,
        "left_hip_abduction": 30,
        "left_knee_flexion": 90,
        "right_hip_flexion": 80,
        "right_hip_abduction": 25,
        "right_hip_rotation": -20,
        "right_knee_flexion": 100,
    },
    "walking": {
        "left_hip_flexion": 30,
        "left_ankle_flexion": 10,
        "right_hip_flexion": -15,
        "right_knee_flexion": 40,
        "right_ankle_flexion": -20,
        "trunk_rotation": 8,
    },
    "looking over the shoulder": {
        "neck_rotation": -70,
        "neck_flexion": -10,
        "trunk_rotation": -20,
    },
    "leaning, the head on the chest": {
        "trunk_lateral_flexion": 25,
        "neck_flexion": 40,
        "neck_lateral_flexion": 15,
    },
}


def angles(points_m: Float64Array) -> dict[str, float]:
    """All angles of a body that is visible, in degrees."""
    found = joint_angles(points_m, VISIBLE, 0.5)
    return {name: float(np.degrees(value)) for name, value in found.items()}


def assert_same(found: dict[str, float], expected: dict[str, float], atol: float = 1e-4) -> None:
    """A turn by 180 degrees is the same as one by -180."""
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert abs((value - expected[name] + 180) % 360 - 180) <= atol, name


@pytest.mark.parametrize("degrees", POSES.values(), ids=POSES.keys())
def test_known_poses_have_their_angles(degrees: dict[str, float]) -> None:
    found = angles(body_at_angles(degrees))
    assert found.keys() >= set(ALL) - SEEN_ONLY_BENT
    for name, value in found.items():
        assert value == pytest.approx(degrees.get(name, 0.0), abs=1e-6), name


def known(limit: float) -> st.SearchStrategy[float]:
    return st.floats(-limit, limit)


@st.composite
def settings_of_joints(draw: Any) -> dict[str, float]:
    """Angles in degrees of all joints, elbows and knees bent enough to show rotations."""
    chosen: dict[str, float] = {}
    for side in ("left_", "right_"):
        raised, plane = draw(st.floats(0, 170)), draw(known(np.pi))
        chosen |= {
            f"{side}shoulder_flexion": raised * np.sin(plane),
            f"{side}shoulder_abduction": raised * np.cos(plane),
            f"{side}shoulder_rotation": draw(known(175)),
            f"{side}elbow_flexion": draw(st.floats(31, 149)),
            f"{side}hip_flexion": draw(known(175)),
            f"{side}hip_abduction": draw(known(85)),
            f"{side}hip_rotation": draw(known(175)),
            f"{side}knee_flexion": draw(st.floats(31, 149)),
            f"{side}ankle_flexion": draw(known(85)),
        }
    return chosen | {
        "neck_flexion": draw(known(120)),
        "neck_lateral_flexion": draw(known(80)),
        "neck_rotation": draw(known(175)),
        "trunk_lateral_flexion": draw(known(60)),
        "trunk_rotation": draw(known(80)),
    }


@given(settings_of_joints())
def test_all_angles_of_any_body_are_found(degrees: dict[str, float]) -> None:
    assert_same(angles(body_at_angles(degrees)), degrees)


@given(settings_of_joints(), st.tuples(*[known(3.0)] * 3), st.floats(0.01, 50.0))
def test_turn_place_and_size_of_the_body_change_nothing(
    degrees: dict[str, float], axis: tuple[float, float, float], scale: float
) -> None:
    turned = body_at_angles(degrees, scale) @ rotation_about(np.array(axis), 1.0).T
    moved = turned + np.array((1.0, -2.0, 5.0))
    assert_same(angles(moved), angles(body_at_angles(degrees)))


@given(settings_of_joints())
def test_a_mirrored_body_has_the_angles_of_the_other_side(degrees: dict[str, float]) -> None:
    plain, mirror = angles(body_at_angles(degrees)), angles(mirrored(body_at_angles(degrees)))
    expected = {}
    for name, value in plain.items():
        side, _, rest = name.partition("_")
        other = {"left": "right", "right": "left"}.get(side)
        if other:
            expected[f"{other}_{rest}"] = value
        else:  # of those in the middle, only bending forward is the same in a mirror
            expected[name] = value if name == "neck_flexion" else -value
    assert_same(mirror, expected)


@pytest.mark.parametrize("hidden", FULL_BODY.names)
def test_a_joint_whose_landmarks_are_not_visible_is_left_out(hidden: str) -> None:
    bent = {name: 60.0 for name in ALL if "knee" in name or "elbow" in name}
    visibility = VISIBLE.copy()
    visibility[FULL_BODY.names.index(hidden)] = 0.49
    found = joint_angles(body_at_angles(bent), visibility, 0.5)
    expected = {
        f"{side}{row.name}"
        for row in JOINT_ANGLES
        for side in row.sides
        if hidden not in row.needed(side)
    }
    assert found.keys() == expected
    assert [*found] == [name for name in ALL if name in expected]
    assert joint_angles(body_at_angles(bent), visibility, 0.49).keys() == set(ALL)


@pytest.mark.parametrize(
    ("bend_deg", "is_seen"), [(29, False), (31, True), (149, True), (151, False)]
)
def test_a_rotation_is_known_only_where_a_bent_limb_shows_it(
    bend_deg: float, is_seen: bool
) -> None:
    bent = {name: bend_deg for name in ALL if "knee" in name or "elbow" in name}
    assert (angles(body_at_angles(bent)).keys() >= SEEN_ONLY_BENT) == is_seen
    assert bool(SEEN_ONLY_BENT & angles(body_at_angles(bent)).keys()) == is_seen


def test_an_arm_straight_up_is_both_flexed_and_abducted_by_180_degrees_together() -> None:
    found = angles(body_at_angles({"left_shoulder_abduction": 179.9999}))
    raised = np.hypot(found["left_shoulder_flexion"], found["left_shoulder_abduction"])
    assert raised == pytest.approx(180, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e30])
def test_a_body_without_form_has_no_angles(value: float) -> None:
    assert joint_angles(np.full((33, 3), value), VISIBLE, 0.5) == {}


def test_one_damaged_landmark_leaves_the_joints_of_others() -> None:
    points_m = body_at_angles()
    points_m[FULL_BODY.names.index("left_wrist")] = np.nan
    assert set(ALL) - angles(points_m).keys() == SEEN_ONLY_BENT | {"left_elbow_flexion"}


def test_shoulders_along_the_spine_have_no_front() -> None:
    points_m = body_at_angles()
    for name, sign in (("left_shoulder", 1), ("right_shoulder", -1)):
        points_m[FULL_BODY.names.index(name)] = (0.0, 0.0, 0.5 + sign * 0.2)
    found = angles(points_m)
    assert "left_elbow_flexion" in found
    assert not {name for name in found if name.startswith(("left_shoulder", "neck", "trunk_rot"))}


def test_the_figure_is_a_body() -> None:
    """Its mirror image is itself, and the left is on the left."""
    np.testing.assert_allclose(mirrored(body_at_angles()), body_at_angles(), atol=1e-12)
    assert sorted(MIRRORED_INDEX) == list(range(33))
    assert body_at_angles()[FULL_BODY.names.index("left_wrist")] @ LEFT > 0
    quarter, _ = cv2.Rodrigues(np.array((0.0, 0.0, np.pi / 2)))
    np.testing.assert_allclose(rotation_about(np.array((0.0, 0.0, 1.0)), np.pi / 2), quarter)
