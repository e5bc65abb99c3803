"""Projection out of the crop, and mirroring."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.crop import crop_roi
from pose_ros.blazepose.datatypes import Detection, Float32Array, ImageSize, Pose, Roi
from pose_ros.blazepose.projection import mirror_pose, mirror_roi, project_landmarks

IMAGE = np.zeros((480, 640, 3), np.uint8)
SIZE = ImageSize(640, 480)
CROP = 256
rng = np.random.default_rng(3)
POINTS = rng.uniform(-50, 300, (27, 3)).astype(np.float32)

rois = st.builds(
    lambda x, y, size_px, rotation_rad: Roi(np.array((x, y)), size_px, rotation_rad),
    st.floats(-100, 740),
    st.floats(-100, 580),
    st.floats(1, 1500),
    st.floats(-math.pi, math.pi),
)


def random(*shape: int) -> Float32Array:
    return rng.random(shape, np.float32)


def make_pose() -> Pose:
    return Pose(
        landmarks_px=random(25, 3) * 640,
        visibility=random(25),
        presence=random(25),
        auxiliary_px=random(2, 3) * 640,
        score=0.9,
        roi=Roi(np.array((100.0, 200.0)), 300.0, 0.4),
        next_roi=Roi(np.array((110.0, 190.0)), 310.0, -0.3),
        person_id=4,
        detection=Detection(0.8, np.array((10, 20, 30, 50), np.float32), random(4, 2) * 640),
        world_landmarks_m=random(25, 3),
        mask=random(480, 640),
    )


@given(rois)
def test_projection_goes_where_the_crop_was_taken_from(roi: Roi) -> None:
    crop = crop_roi(IMAGE, roi, CROP)
    image_px = project_landmarks(POINTS, crop, SIZE)
    homogeneous = np.column_stack([POINTS[:, :2], np.ones(len(POINTS))])
    assert np.allclose(image_px[:, :2], homogeneous @ crop.image_from_crop.T, atol=3e-3)


@given(rois)
def test_projection_can_be_undone(roi: Roi) -> None:
    image_px = project_landmarks(POINTS, crop_roi(IMAGE, roi, CROP), SIZE)
    cos, sin = math.cos(roi.rotation_rad), math.sin(roi.rotation_rad)
    upright_px = (image_px[:, :2] - roi.center_px) @ np.array([(cos, -sin), (sin, cos)])
    crop_px = upright_px * CROP / roi.size_px + CROP / 2
    # float32 image px, seen in the crop's px
    assert np.allclose(crop_px, POINTS[:, :2], atol=2e-3 * max(1, CROP / roi.size_px))


@given(rois)
def test_depth_is_on_the_scale_of_x(roi: Roi) -> None:
    image_px = project_landmarks(POINTS, crop_roi(IMAGE, roi, CROP), SIZE)
    assert np.allclose(image_px[:, 2], POINTS[:, 2] * roi.size_px / CROP, rtol=1e-5)


@given(rois)
def test_twice_the_image_and_roi_give_twice_the_landmarks(roi: Roi) -> None:
    twice = Roi(roi.center_px * 2, roi.size_px * 2, roi.rotation_rad)
    image_px = project_landmarks(POINTS, crop_roi(IMAGE, roi, CROP), SIZE)
    large = crop_roi(np.zeros((960, 1280, 3), np.uint8), twice, CROP)
    assert np.allclose(project_landmarks(POINTS, large, ImageSize(1280, 960)), image_px * 2)


def test_the_middle_of_the_crop_is_the_centre_of_the_roi() -> None:
    crop = crop_roi(IMAGE, Roi(np.array((123.0, 45.0)), 210.0, 1.1), CROP)
    middle = np.array([(CROP / 2, CROP / 2, 0)], np.float32)
    assert project_landmarks(middle, crop, SIZE)[0] == pytest.approx((123, 45, 0), abs=1e-4)


@given(rois)
def test_an_roi_mirrored_twice_is_itself(roi: Roi) -> None:
    twice = mirror_roi(mirror_roi(roi, 640), 640)
    assert twice.center_px == pytest.approx(roi.center_px)
    assert (twice.size_px, twice.rotation_rad) == (roi.size_px, roi.rotation_rad)


@given(rois)
def test_the_corners_of_a_mirrored_roi_are_the_mirrored_corners(roi: Roi) -> None:
    top_left, top_right, bottom_right, bottom_left = roi.corners_px()
    expected = np.stack([top_right, top_left, bottom_left, bottom_right])
    expected[:, 0] = 639 - expected[:, 0]
    assert np.allclose(mirror_roi(roi, 640).corners_px(), expected)


def test_a_pose_mirrored_twice_is_itself() -> None:
    pose = make_pose()
    twice = mirror_pose(mirror_pose(pose, 640), 640)
    assert pose.detection is not None
    assert twice.detection is not None
    assert np.allclose(twice.landmarks_px, pose.landmarks_px, atol=1e-4)
    assert np.allclose(twice.auxiliary_px, pose.auxiliary_px, atol=1e-4)
    assert np.allclose(twice.detection.box_px, pose.detection.box_px, atol=1e-4)
    assert np.allclose(twice.detection.keypoints_px, pose.detection.keypoints_px, atol=1e-4)
    for name in ("world_landmarks_m", "mask"):
        assert np.array_equal(getattr(twice, name), getattr(pose, name))
    assert np.array_equal(twice.next_roi.center_px, pose.next_roi.center_px)


def test_a_mirrored_pose_changes_places_and_keeps_the_rest() -> None:
    pose = make_pose()
    mirrored = mirror_pose(pose, 640)
    assert pose.world_landmarks_m is not None
    assert mirrored.world_landmarks_m is not None
    assert pose.mask is not None
    assert mirrored.mask is not None
    assert np.array_equal(mirrored.landmarks_px[:, 0], np.float32(639) - pose.landmarks_px[:, 0])
    assert np.array_equal(mirrored.landmarks_px[:, 1:], pose.landmarks_px[:, 1:])
    assert np.array_equal(mirrored.world_landmarks_m[:, 0], -pose.world_landmarks_m[:, 0])
    assert np.array_equal(mirrored.world_landmarks_m[:, 1:], pose.world_landmarks_m[:, 1:])
    assert np.array_equal(mirrored.mask, pose.mask[:, ::-1])
    assert np.array_equal(mirrored.visibility, pose.visibility)
    assert np.array_equal(mirrored.presence, pose.presence)
    assert (mirrored.score, mirrored.person_id) == (pose.score, pose.person_id)


def test_a_mirrored_box_still_has_its_minimum_first() -> None:
    detection = mirror_pose(make_pose(), 640).detection
    assert detection is not None
    assert detection.box_px.tolist() == [609, 20, 629, 50]
