"""Projection out of the crop, and mirroring."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    Detection,
    Float32Array,
    ImageArray,
    ImageSize,
    Pose,
    Roi,
    size_of,
)
from pose_ros.blazepose.projection import (
    mirror_pose,
    mirror_roi,
    project_landmarks,
    project_mask,
    project_world,
)

IMAGE = np.zeros((480, 640, 3), np.uint8)
SIZE = ImageSize(640, 480)
CROP = 256
CROPPER = Cropper(CROP)
rng = np.random.default_rng(3)
POINTS = rng.uniform(-50, 300, (27, 3)).astype(np.float32)


def rois_from(smallest_px: float) -> st.SearchStrategy[Roi]:
    return st.builds(
        lambda x, y, size_px, rotation_rad: Roi(np.array((x, y)), size_px, rotation_rad),
        st.floats(-100, 740),
        st.floats(-100, 580),
        st.floats(smallest_px, 1500),
        st.floats(-math.pi, math.pi),
    )


rois = rois_from(1)
# The crop's float32 corners make a square of few pixels visibly projective: 0.005 px for 1 px.
large_rois = rois_from(32)


def crop_of(roi: Roi, image: ImageArray = IMAGE) -> Crop:
    return CROPPER.crop(image, roi.normalized(size_of(image)))


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


@given(large_rois)
def test_projection_goes_where_the_crop_was_taken_from(roi: Roi) -> None:
    crop = crop_of(roi)
    image_px = project_landmarks(POINTS, crop, SIZE)
    homogeneous = np.column_stack([POINTS[:, :2], np.ones(len(POINTS))])
    assert np.allclose(image_px[:, :2], homogeneous @ crop.image_from_crop.T, atol=3e-3)


@pytest.mark.parametrize("size", [SIZE, ImageSize(480, 640)])
def test_projection_leaves_the_bars_of_a_letterbox_out(size: ImageSize) -> None:
    crop = CROPPER.letterbox(np.zeros((size.height_px, size.width_px, 3), np.uint8))
    image_px = project_landmarks(POINTS, crop, size)
    scale = max(size) / CROP
    bars_px = (max(size) - np.array(size)) / 2
    assert np.allclose(image_px[:, :2], POINTS[:, :2] * scale - bars_px, atol=1e-3)


@given(rois)
def test_projection_can_be_undone(roi: Roi) -> None:
    image_px = project_landmarks(POINTS, crop_of(roi), SIZE)
    cos, sin = math.cos(roi.rotation_rad), math.sin(roi.rotation_rad)
    upright_px = (image_px[:, :2] - roi.center_px) @ np.array([(cos, -sin), (sin, cos)])
    crop_px = upright_px * CROP / roi.size_px + CROP / 2
    # float32 image px, seen in the crop's px
    assert np.allclose(crop_px, POINTS[:, :2], atol=2e-3 * max(1, CROP / roi.size_px))


@given(rois)
def test_depth_is_on_the_scale_of_x(roi: Roi) -> None:
    image_px = project_landmarks(POINTS, crop_of(roi), SIZE)
    assert np.allclose(image_px[:, 2], POINTS[:, 2] * roi.size_px / CROP, rtol=1e-5)


@given(rois)
def test_twice_the_image_and_roi_give_twice_the_landmarks(roi: Roi) -> None:
    twice = Roi(roi.center_px * 2, roi.size_px * 2, roi.rotation_rad)
    image_px = project_landmarks(POINTS, crop_of(roi), SIZE)
    large = crop_of(twice, np.zeros((960, 1280, 3), np.uint8))
    assert np.allclose(project_landmarks(POINTS, large, ImageSize(1280, 960)), image_px * 2)


def test_the_middle_of_the_crop_is_the_centre_of_the_roi() -> None:
    crop = crop_of(Roi(np.array((123.0, 45.0)), 210.0, 1.1))
    middle = np.array([(CROP / 2, CROP / 2, 0)], np.float32)
    assert project_landmarks(middle, crop, SIZE)[0] == pytest.approx((123, 45, 0), abs=1e-4)


WORLD_M = rng.uniform(-1, 1, (33, 3)).astype(np.float32)


def test_world_landmarks_of_an_upright_roi_stay_as_they_are() -> None:
    assert np.array_equal(project_world(WORLD_M, np.float32(0)), WORLD_M)


@given(st.floats(-math.pi, math.pi))
def test_world_landmarks_turn_with_the_roi_around_the_axis_of_sight(rotation_rad: float) -> None:
    """They turn as the landmarks in the image do."""
    world_m = project_world(WORLD_M, np.float32(rotation_rad))
    crop = crop_of(Roi(np.array((300.0, 200.0)), 250.0, rotation_rad))
    linear = crop.image_from_crop[:, :2] * (CROP / 250)
    assert np.allclose(world_m[:, :2], WORLD_M[:, :2] @ linear.T, atol=1e-5)
    assert np.array_equal(world_m[:, 2], WORLD_M[:, 2])


@given(st.floats(-math.pi, math.pi))
def test_turning_world_landmarks_back_gives_them_back(rotation_rad: float) -> None:
    there = project_world(WORLD_M, np.float32(rotation_rad))
    back = project_world(there, np.float32(-rotation_rad))
    assert np.allclose(back, WORLD_M, atol=1e-6)


def test_an_upright_mask_of_the_rois_size_is_put_in_its_place() -> None:
    mask = random(CROP, CROP)
    crop = crop_of(Roi(np.array((300.0, 200.0)), CROP, 0.0))
    image_mask = project_mask(mask, crop, SIZE)
    assert image_mask.shape == (480, 640)
    assert image_mask.dtype == np.float32
    # corners are rounded to float32: up to 1e-4 px, and noise changes by up to 1 each pixel
    assert np.abs(image_mask[72:328, 172:428] - mask).max() < 0.04
    image_mask[71:329, 171:429] = 0
    assert not image_mask.any()


@given(rois)
def test_a_mask_is_one_inside_the_roi_and_zero_outside(roi: Roi) -> None:
    ones = np.ones((CROP, CROP), np.float32)
    image_mask = project_mask(ones, crop_of(roi), SIZE)
    columns, rows = np.meshgrid(np.arange(640), np.arange(480))
    from_center = np.stack([columns, rows], axis=-1) - roi.center_px
    cos, sin = math.cos(roi.rotation_rad), math.sin(roi.rotation_rad)
    along = np.abs(from_center @ np.array([(cos, -sin), (sin, cos)])).max(axis=-1)
    # the mask's last pixel is one pixel of the crop within the ROI's edge; then it fades out
    pixel_px = roi.size_px / CROP
    inside = along < roi.size_px / 2 - pixel_px - 1
    outside = along > roi.size_px / 2 + pixel_px + 1
    assert np.abs(image_mask[inside] - 1).max(initial=0) < 1e-6
    assert not image_mask[outside].any()


@pytest.mark.parametrize("side", [64, 128])
def test_a_mask_coarser_than_the_crop_covers_the_same_square(side: int) -> None:
    crop = crop_of(Roi(np.array((300.0, 200.0)), 200.0, 0.7))
    fine = project_mask(np.ones((CROP, CROP), np.float32), crop, SIZE)
    coarse = project_mask(np.ones((side, side), np.float32), crop, SIZE)
    assert np.abs(fine - coarse).mean() < 0.005


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
    assert np.array_equal(mirrored.world_landmarks_m, pose.world_landmarks_m)
    assert np.array_equal(mirrored.mask, pose.mask[:, ::-1])
    assert np.array_equal(mirrored.visibility, pose.visibility)
    assert np.array_equal(mirrored.presence, pose.presence)
    assert (mirrored.score, mirrored.person_id) == (pose.score, pose.person_id)


def test_a_mirrored_box_still_has_its_minimum_first() -> None:
    detection = mirror_pose(make_pose(), 640).detection
    assert detection is not None
    assert detection.box_px.tolist() == [609, 20, 629, 50]
