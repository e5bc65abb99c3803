"""Which way bodies face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float64Array, Pose, Roi
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.orientation import facing_axes

JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
INDICES = [FULL_BODY.names.index(name) for name in JOINTS]
# Of somebody who faces the camera: x right, y down, z away from it.
TORSO_M = np.array(((0.18, -0.5, 0), (-0.18, -0.5, 0), (0.12, 0, 0), (-0.12, 0, 0)))


def pose(torso_m: Float64Array = TORSO_M) -> Pose:
    world_m = np.zeros((33, 3), np.float32)
    world_m[INDICES] = torso_m
    roi, ones = Roi(np.array((10.0, 10.0)), 20.0, 0.0), np.ones(33, np.float32)
    pixels, auxiliary = np.zeros((33, 3), np.float32), np.zeros((2, 3), np.float32)
    return Pose(pixels, ones, ones, auxiliary, 0.9, roi, roi, 1, world_landmarks_m=world_m)


def turned(angle_rad: float) -> Float64Array:
    """The torso turned about the vertical, to its own left for a positive angle."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array(((cos, 0, -sin), (0, 1, 0), (sin, 0, cos)))
    points_m: Float64Array = TORSO_M @ turn.T
    return points_m


def test_who_faces_the_camera_faces_against_its_axis() -> None:
    axes = facing_axes(pose())
    assert axes is not None
    forward, left, up = axes.T
    np.testing.assert_allclose(forward, (0, 0, -1), atol=1e-12)
    np.testing.assert_allclose(left, (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(up, (0, -1, 0), atol=1e-12)


@given(st.floats(-np.pi, np.pi))
def test_who_turns_faces_elsewhere(angle_rad: float) -> None:
    axes = facing_axes(pose(turned(angle_rad)))
    assert axes is not None
    expected = (np.sin(angle_rad), 0, -np.cos(angle_rad))
    np.testing.assert_allclose(axes[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("name", JOINTS[:2])
def test_it_is_unknown_without_a_shoulder(name: str) -> None:
    assert facing_axes(hidden(pose(), name)) is None


def test_hips_that_are_not_visible_do_not_turn_the_body() -> None:
    torso_m = turned(0.4)
    torso_m[2:] = torso_m[[3, 2]]  # taken for each other
    axes = facing_axes(hidden(pose(torso_m), JOINTS[2]))
    assert axes is not None
    np.testing.assert_allclose(axes[:, 0], (np.sin(0.4), 0, -np.cos(0.4)), atol=1e-6)


def hidden(found: Pose, name: str) -> Pose:
    visibility = np.ones(33, np.float32)
    visibility[FULL_BODY.names.index(name)] = 0.4
    return replace(found, visibility=visibility)


def test_it_is_unknown_without_world_landmarks_and_without_a_front() -> None:
    assert facing_axes(replace(pose(), world_landmarks_m=None)) is None
    along = np.array(((0.02, -0.5, 0), (-0.02, -0.9, 0), (0.01, 0, 0), (-0.01, -0.3, 0)))
    assert facing_axes(pose(along)) is None
    assert facing_axes(pose(np.zeros((4, 3)))) is None
