"""Records: checked shapes, read-only arrays, and the ROI's two forms."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import (
    Crop,
    CropLandmarks,
    DepthImage,
    Detection,
    ImageSize,
    NormalizedRect,
    Pose,
    Position,
    Roi,
)
from pose_ros.blazepose.errors import ImageError

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
def test_a_pose_of_other_shapes_is_refused_with_the_shape_that_is_allowed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"has shape \(.*\); allowed is \(.*\)"):
        make_pose(**changes)


def test_other_records_check_their_shapes_too() -> None:
    with pytest.raises(ValueError, match="box_px has shape"):
        Detection(0.5, np.zeros(3), np.zeros((4, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="keypoints_px has shape"):
        Detection(0.5, np.zeros(4), np.zeros((4, 3)))  # type: ignore[arg-type]
    zero = np.float32(0)
    with pytest.raises(ValueError, match="tensor has shape"):
        Crop(np.zeros((1, 1, 8, 8), np.float32), np.zeros((2, 3)), ROI, (zero, zero))
    with pytest.raises(ValueError, match="image_from_crop has shape"):
        Crop(np.zeros((1, 3, 8, 8), np.float32), np.zeros((3, 3)), ROI, (zero, zero))
    points = np.zeros((27, 3), np.float32)
    with pytest.raises(ValueError, match="visibility has shape"):
        CropLandmarks(points, points[:1, 0], points[:, 0], 0.5)


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
    st.builds(
        NormalizedRect,
        *[st.floats(-2, 3, width=32).map(np.float32)] * 2,
        *[st.floats(2**-10, 8, width=32).map(np.float32)] * 2,
        st.floats(-3.125, 3.125, width=32).map(np.float32),
    )
)
def test_a_normalized_rectangle_comes_back_to_the_last_bit(rect: NormalizedRect) -> None:
    assert Roi.from_normalized(rect, SIZE).normalized(SIZE) == rect


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


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_image_keeps_the_picture_as_it_is(dtype: type) -> None:
    values: npt.NDArray[Any] = np.zeros((3, 4), dtype)
    depth = DepthImage(values, 0.001)
    assert depth.values is values
    assert depth.size == ImageSize(4, 3)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((3, 4, 1), np.uint16), "shape (3, 4, 1) and type uint16"),
        (np.zeros((3, 4)), "shape (3, 4) and type float64"),
        (np.zeros(4, np.float32), "shape (4,) and type float32"),
    ],
)
def test_other_depth_images_are_refused(values: Any, told: str) -> None:
    with pytest.raises(ImageError) as refused:
        DepthImage(values, 0.001)
    assert str(refused.value) == (
        f"depth image has {told}; allowed is (height, width) uint16 or float32"
    )


def test_positions_are_read_only() -> None:
    position = Position(np.zeros((33, 3), np.float32), "depth")
    with pytest.raises(ValueError, match="read-only"):
        position.landmarks_m[0] = 1
    with pytest.raises(ValueError, match="landmarks_m has shape"):
        Position(np.zeros((33, 2), np.float32), "depth")
