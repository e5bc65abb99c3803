"""Records: checked shapes, read-only arrays, and the ROI's two forms."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import (
    Crop,
    CropLandmarks,
    Detection,
    ImageSize,
    NormalizedRect,
    Pose,
    Poses,
    Roi,
)

SIZE = ImageSize(640, 480)
ROI = Roi(np.array((100.0, 50.0)), 80.0, 0.0)


def make_pose(**changes: Any) -> Pose:
    fields: dict[str, Any] = {
        "landmarks_px": np.zeros((25, 3)),
        "visibility": np.zeros(25),
        "presence": np.zeros(25),
        "auxiliary_px": np.zeros((2, 3)),
        "score": 0.9,
        "roi": ROI,
        "next_roi": ROI,
        "person_id": 1,
    }
    return Pose(**fields | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"landmarks_px": np.zeros((25, 2))},
        {"landmarks_px": np.zeros((24, 3))},
        {"visibility": np.zeros((25, 1))},
        {"presence": np.zeros(24)},
        {"auxiliary_px": np.zeros((3, 3))},
        {"world_landmarks_m": np.zeros((24, 3))},
        {"mask": np.zeros((4, 4, 1))},
    ],
)
def test_a_pose_of_other_shapes_is_rejected_with_the_shape_that_is_allowed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"has shape \(.*\); allowed is \(.*\)"):
        make_pose(**changes)


def test_other_records_check_their_shapes_too() -> None:
    with pytest.raises(ValueError, match="box_px has shape"):
        Detection(0.5, np.zeros(3), np.zeros((4, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="keypoints_px has shape"):
        Detection(0.5, np.zeros(4), np.zeros((4, 3)))  # type: ignore[arg-type]
    zero, rect = np.float32(0), ROI.normalized(SIZE)
    with pytest.raises(ValueError, match="tensor has shape"):
        Crop(np.zeros((1, 1, 8, 8), np.float32), np.zeros((2, 3)), rect, (zero, zero))
    with pytest.raises(ValueError, match="image_from_crop has shape"):
        Crop(np.zeros((1, 3, 8, 8), np.float32), np.zeros((3, 3)), rect, (zero, zero))
    points = np.zeros((27, 3), np.float32)
    with pytest.raises(ValueError, match="visibility has shape"):
        CropLandmarks(points, points[:1, 0], points[:, 0], 0.5)
    with pytest.raises(ValueError, match="presence has shape"):
        CropLandmarks(points, points[:, 0], points[:1, 0], 0.5)


@pytest.mark.parametrize(
    ("center_px", "size_px", "rotation_rad"),
    [
        ((math.nan, 0), 1, 0),
        ((0, math.inf), 1, 0),
        ((0, 0), math.nan, 0),
        ((0, 0), 0, 0),
        ((0, 0), -1, 0),
        ((0, 0), 1, math.inf),
    ],
)
def test_an_roi_needs_finite_numbers_and_a_size(
    center_px: tuple[float, float], size_px: float, rotation_rad: float
) -> None:
    with pytest.raises(ValueError, match="values are finite and the size positive"):
        Roi(np.array(center_px, float), size_px, rotation_rad)


def test_arrays_cannot_be_written_through_the_record_and_fields_cannot_be_replaced() -> None:
    pose = make_pose(world_landmarks_m=np.ones((25, 3)), mask=np.zeros((4, 5)))
    for item in dataclasses.fields(pose):
        value = getattr(pose, item.name)
        if isinstance(value, np.ndarray):
            assert value.dtype == np.float32
            assert not value.flags.writeable
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(pose, item.name, value)


@given(
    *[st.floats(-2, 3, width=32).map(np.float32)] * 2,
    st.floats(2**-10, 8, width=32).map(np.float32),
    st.floats(-3.125, 3.125, width=32).map(np.float32),
)
def test_a_normalized_square_comes_back_to_the_last_bit_of_all_but_its_height(
    x: np.float32, y: np.float32, width: np.float32, rotation_rad: np.float32
) -> None:
    rect = NormalizedRect(x, y, width, width * np.float32(640 / 480), rotation_rad)
    back = Roi.from_normalized(rect, SIZE).normalized(SIZE)
    assert back._replace(height=rect.height) == rect
    assert back.height == pytest.approx(rect.height, rel=2**-22)


@pytest.mark.parametrize("size", [SIZE, ImageSize(320, 960)])
def test_an_roi_from_the_pipeline_keeps_its_pixels_on_every_image_and_can_be_resized(
    size: ImageSize,
) -> None:
    roi = Roi.from_normalized(NormalizedRect(*np.array((0.5, 0.25, 0.25, 1 / 3, 0.5), "f")), SIZE)
    resized = dataclasses.replace(roi, size_px=2 * roi.size_px)
    for one, side_px in ((roi, 160), (resized, 320)):
        rect = one.normalized(size)
        assert np.multiply(rect[2:4], size) == pytest.approx((side_px, side_px))
        assert np.multiply(rect[:2], size) == pytest.approx((320, 120))


def test_an_roi_of_px_is_normalized_by_the_image_size() -> None:
    rect = Roi(np.array((320.0, 120.0)), 160.0, 0.5).normalized(SIZE)
    assert rect == NormalizedRect(*np.array((0.5, 0.25, 0.25, 1 / 3, 0.5), np.float32))


@pytest.mark.parametrize(
    ("rotation_rad", "first"), [(0, (60, 10)), (math.pi / 2, (140, 10)), (math.pi, (140, 90))]
)
def test_corners_go_round_clockwise_from_the_rotated_top_left(
    rotation_rad: float, first: tuple[float, float]
) -> None:
    corners = Roi(ROI.center_px, ROI.size_px, rotation_rad).corners_px()
    assert corners[0] == pytest.approx(first)
    assert corners.mean(axis=0) == pytest.approx(ROI.center_px)
    sides = np.roll(corners, -1, axis=0) - corners
    assert np.hypot(*sides.T) == pytest.approx(ROI.size_px)
    crosses = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    assert (crosses > 0).all()


def test_poses_are_a_tuple_with_what_belongs_to_the_image() -> None:
    pose = make_pose()
    poses = Poses([pose], time_ns=7, has_jumped=True)
    assert list(poses) == [pose]
    assert (poses.time_ns, poses.has_jumped, poses.counted_as_frame) == (7, True, False)
    with pytest.raises(AttributeError, match="time_ns"):
        poses.time_ns = 8
