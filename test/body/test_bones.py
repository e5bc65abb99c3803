"""Bones: their ends, lengths and axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic.angles import body_at_angles
from synthetic.skeleton import rotation_about

from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.body.bones import BONES, bone_axes, bone_ends, bone_lengths_m

UPRIGHT = np.eye(3)
NAMES = [bone.name for bone in BONES]
BENT = st.fixed_dictionaries(
    {
        f"{side}_{joint}": st.floats(-170, 170)
        for side in ("left", "right")
        for joint in ("shoulder_flexion", "elbow_flexion", "hip_flexion", "knee_flexion")
    }
)


def axes_of(degrees: dict[str, float]) -> dict[str, np.ndarray]:
    """The axes of the bones of a body that stands upright, by name."""
    return dict(zip(NAMES, bone_axes(bone_ends(body_at_angles(degrees)), UPRIGHT), strict=True))


def test_each_side_has_its_bones() -> None:
    assert len(set(NAMES)) == len(NAMES) == 14
    sides = [{n.partition("_")[2] for n in NAMES if n.startswith(s)} for s in ("left", "right")]
    assert sides[0] == sides[1]


def test_lengths_are_those_of_the_body() -> None:
    lengths_m = bone_lengths_m(body_at_angles({"left_knee_flexion": 40}))
    assert lengths_m["trunk"] == pytest.approx(0.5)
    assert lengths_m["neck"] == pytest.approx(0.23)
    for side in ("left", "right"):
        assert lengths_m[f"{side}_upper_arm"] == pytest.approx(0.29)
        assert lengths_m[f"{side}_forearm"] == pytest.approx(0.26)
        assert lengths_m[f"{side}_hand"] == pytest.approx(0.08)
        assert lengths_m[f"{side}_thigh"] == pytest.approx(0.42)
        assert lengths_m[f"{side}_shank"] == pytest.approx(0.41)
        assert lengths_m[f"{side}_foot"] == pytest.approx(0.2)


def test_a_model_without_legs_has_no_bones_of_legs() -> None:
    lengths_m = bone_lengths_m(body_at_angles()[: len(UPPER_BODY)])
    legs = ("thigh", "shank", "foot")
    assert {n for n, value in lengths_m.items() if np.isnan(value)} == {
        name for name in NAMES if name.endswith(legs)
    }


def test_at_rest_arms_and_legs_hang_and_y_is_to_the_left() -> None:
    for name, axes in axes_of({}).items():
        if name in ("trunk", "neck"):
            expected = [(0, 0, 1), (0, 1, 0), (-1, 0, 0)]
        elif name.endswith("foot"):
            expected = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
        else:
            expected = [(0, 0, -1), (0, 1, 0), (1, 0, 0)]
        np.testing.assert_allclose(axes.T, expected, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("flexion", [-90, 45, 90, 179, 180])
def test_y_stays_to_the_left_while_a_limb_is_bent(flexion: float) -> None:
    axes = axes_of({"right_shoulder_flexion": flexion})["right_upper_arm"]
    angle = np.radians(flexion)
    np.testing.assert_allclose(axes[:, 0], (np.sin(angle), 0, -np.cos(angle)), atol=1e-12)
    np.testing.assert_allclose(axes[:, 1], (0, 1, 0), atol=1e-12)


@given(BENT, st.tuples(*[st.floats(-3, 3)] * 3))
def test_axes_are_a_rotation_with_x_along_the_bone_and_turn_with_the_body(
    degrees: dict[str, float], axis: tuple[float, float, float]
) -> None:
    turned = rotation_about(np.array(axis), 1.0)
    ends_m = bone_ends(body_at_angles(degrees) @ turned.T)
    found = bone_axes(ends_m, turned)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-6)
    np.testing.assert_allclose(
        found.transpose(0, 2, 1) @ found, np.tile(UPRIGHT, (14, 1, 1)), atol=1e-6
    )
    vectors_m = ends_m[:, 1] - ends_m[:, 0]
    lengths_m = np.linalg.norm(vectors_m, axis=1)
    np.testing.assert_allclose(found[:, :, 0] * lengths_m[:, None], vectors_m, atol=1e-9)
    plain = bone_axes(bone_ends(body_at_angles(degrees)), UPRIGHT)
    np.testing.assert_allclose(found, turned @ plain, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_bones_without_length_have_no_axes(value: float) -> None:
    found = bone_axes(bone_ends(np.full((33, 3), value)), UPRIGHT)
    assert not np.isfinite(found).all(axis=(1, 2)).any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("beside_m", [0.0, 1e-9])
def test_a_bone_that_is_opposite_to_how_it_is_at_rest_is_turned_about_y(beside_m: float) -> None:
    opposite_m = [(0.0, beside_m, 0.0) - np.asarray(bone.rest, np.float64) for bone in BONES]
    ends_m = np.stack((np.zeros((len(BONES), 3)), opposite_m), axis=1)
    for along, axes in zip(opposite_m, bone_axes(ends_m, np.eye(3)), strict=True):
        expected = np.column_stack((along, (0, 1, 0), np.cross(along, (0, 1, 0))))
        np.testing.assert_allclose(axes, expected, atol=1e-8)
