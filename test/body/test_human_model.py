"""The joints of REP 155's human model: put into the model they give the body back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic.angles import FORWARD, LEFT, UP, body_at_angles
from synthetic.skeleton import SIDES, rotation_about

from body.test_joints import VISIBLE, known, settings_of_joints
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.human_model import model_joints

BENT = {f"{side}{joint}_flexion": 60.0 for side in SIDES for joint in ("elbow", "knee")}
ARM, LEG = ("y_shoulder", "p_shoulder", "r_shoulder", "elbow"), ("y_hip", "p_hip", "r_hip", "knee")
ALL = {"waist", "r_head", "y_head", "p_head", *(f"{s}_{j}" for s in "lr" for j in (*ARM, *LEG))}


def axes_of(letter: str) -> dict[str, Float64Array]:
    """The axes of the joints as human_description has them, of one side."""
    reflect = 1.0 if letter == "l" else -1.0
    return {
        "y_shoulder": -reflect * UP,
        "p_shoulder": reflect * FORWARD,
        "r_shoulder": reflect * UP,
        "elbow": -LEFT,
        "y_hip": -UP,
        "p_hip": reflect * FORWARD,
        "r_hip": -LEFT,
        "knee": -LEFT,
    }


def directions(
    found: dict[str, float], letter: str, joints: tuple[str, ...]
) -> list[Float64Array]:
    """Where upper arm and forearm, or thigh and shank, of the model lead: down at rest."""
    rotation = np.eye(3)
    limbs = []
    for joint in joints:
        rotation = rotation @ rotation_about(axes_of(letter)[joint], found[f"{letter}_{joint}"])
        limbs.append(-rotation @ UP)
    return limbs[2:]


def of_trunk(points_m: Float64Array) -> Float64Array:
    """The axes (3, 3) of the trunk, in columns."""
    at = dict(zip(FULL_BODY.names, points_m, strict=True))
    up = at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]
    up = up / np.linalg.norm(up)
    left = at["left_shoulder"] - at["right_shoulder"]
    forward = np.cross(left, up)
    forward /= np.linalg.norm(forward)
    return np.column_stack((forward, np.cross(up, forward), up))


def assert_limbs(points_m: Float64Array, found: dict[str, float]) -> None:
    at = dict(zip(FULL_BODY.names, points_m @ of_trunk(points_m), strict=True))
    for letter, side in (("l", "left_"), ("r", "right_")):
        for joints, names in (
            (ARM, ("shoulder", "elbow", "wrist")),
            (LEG, ("hip", "knee", "ankle")),
        ):
            ends = [at[f"{side}{name}"] for name in names]
            limbs = [end - start for start, end in itertools.pairwise(ends)]
            for limb, expected in zip(directions(found, letter, joints), limbs, strict=True):
                np.testing.assert_allclose(limb, expected / np.linalg.norm(expected), atol=1e-6)


@given(settings_of_joints(), st.tuples(*[known(3.0)] * 3))
def test_the_model_with_the_joints_of_a_body_has_its_limbs(
    degrees: dict[str, float], axis: tuple[float, float, float]
) -> None:
    points_m = body_at_angles(degrees) @ rotation_about(np.array(axis), 1.0).T
    found = model_joints(points_m, VISIBLE, 0.5)
    assert found.keys() == ALL
    assert_limbs(points_m, found)


@pytest.mark.parametrize("bend_deg", [0, 10, 29])
def test_straight_limbs_are_in_their_place_too(bend_deg: float) -> None:
    bent = {"left_elbow_flexion": bend_deg, "right_shoulder_abduction": 60}
    points_m = body_at_angles({**bent, "left_shoulder_flexion": 80, "left_hip_flexion": 40})
    assert_limbs(points_m, model_joints(points_m, VISIBLE, 0.5))


@given(settings_of_joints())
def test_the_model_holds_the_head_as_the_body_does(degrees: dict[str, float]) -> None:
    points_m = body_at_angles(degrees)
    found = model_joints(points_m, VISIBLE, 0.5)
    head = rotation_about(FORWARD, found["r_head"]) @ rotation_about(UP, found["y_head"])
    head = of_trunk(points_m) @ head @ rotation_about(-LEFT, found["p_head"])
    at = dict(zip(FULL_BODY.names, points_m, strict=True))
    ears = at["left_ear"] - at["right_ear"]
    face = at["left_eye"] + at["right_eye"] - at["left_ear"] - at["right_ear"]
    np.testing.assert_allclose(head @ LEFT, ears / np.linalg.norm(ears), atol=1e-6)
    np.testing.assert_allclose(head @ FORWARD, face / np.linalg.norm(face), atol=1e-6)


def test_known_postures() -> None:
    rest = model_joints(body_at_angles(), VISIBLE, 0.5)
    assert rest == pytest.approx(dict.fromkeys(ALL, 0.0), abs=1e-6)
    sitting = model_joints(
        body_at_angles({"left_hip_flexion": 90, "left_knee_flexion": 90}), VISIBLE, 0.5
    )
    assert sitting["l_r_hip"] == pytest.approx(np.pi / 2)
    assert sitting["l_knee"] == pytest.approx(-np.pi / 2)
    pointing = model_joints(body_at_angles({"right_shoulder_flexion": 90}), VISIBLE, 0.5)
    assert pointing["r_y_shoulder"] == pytest.approx(np.pi / 2)
    assert pointing["r_p_shoulder"] == pytest.approx(np.pi / 2)
    back = model_joints(body_at_angles({"right_shoulder_flexion": -20}), VISIBLE, 0.5)
    assert back["r_p_shoulder"] == pytest.approx(-np.radians(20))


@pytest.mark.parametrize(
    ("hidden", "left_out"),
    [
        ("left_wrist", {f"l_{joint}" for joint in ARM}),
        ("right_knee", {f"r_{joint}" for joint in LEG}),
        ("left_ear", {"r_head", "y_head", "p_head"}),
        ("left_hip", ALL),
        ("nose", set()),
    ],
)
def test_a_limb_that_is_not_visible_is_left_out(hidden: str, left_out: set[str]) -> None:
    visibility = VISIBLE.copy()
    visibility[FULL_BODY.names.index(hidden)] = 0.4
    assert ALL - model_joints(body_at_angles(BENT), visibility, 0.5).keys() == left_out


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_body_without_form_has_no_joints(value: float) -> None:
    assert model_joints(np.full((33, 3), value), VISIBLE, 0.5) == {}
