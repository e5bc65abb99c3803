"""Distances from depth images: patches, the body aligned to them, and limbs' reach."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float64Array, ImageSize, Pose, Roi
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.geometry.depth import (
    DepthImage,
    align_world_to_depth,
    keep_reachable,
    sample_depth,
)

NAMES = FULL_BODY.names
NOSE, WRIST = NAMES.index("nose"), NAMES.index("left_wrist")
LEFT_HIP, RIGHT_HIP = NAMES.index("left_hip"), NAMES.index("right_hip")
LEFT_SHOULDER, RIGHT_SHOULDER = NAMES.index("left_shoulder"), NAMES.index("right_shoulder")
LIMITS_M = (0.1, 10.0)
KINDS = pytest.mark.parametrize(("dtype", "unit"), [(np.uint16, 0.001), (np.float32, 1.0)])
NAN = np.nan


def depth_image(z_m: npt.ArrayLike, dtype: Any = np.float32, unit: float = 1.0) -> DepthImage:
    values = np.asarray(z_m, np.float64) / unit
    return DepthImage((np.rint(values) if dtype is np.uint16 else values).astype(dtype), unit)


def pose_at(points: dict[int, tuple[float, float]], roi_px: float = 500.0) -> Pose:
    """Return a pose with landmarks at some pixels; all others are far outside."""
    pixels = np.full((33, 3), -1e4, np.float32)
    for index, point in points.items():
        pixels[index, :2] = point
    ones, roi = np.ones(33, np.float32), Roi(np.array((50, 50)), roi_px, 0.0)
    auxiliary = np.zeros((2, 3), np.float32)
    return Pose(pixels, ones, ones, auxiliary, 0.9, roi, roi, 1)


def sample(
    z_m: npt.ArrayLike, point: tuple[float, float], index: int = NOSE, **kind: Any
) -> float:
    return float(sample_depth(depth_image(z_m, **kind), pose_at({index: point}), LIMITS_M)[index])


# Depth images


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_depth_image_keeps_its_values_without_a_copy(dtype: type) -> None:
    values: npt.NDArray[Any] = np.zeros((3, 4), dtype)
    depth = DepthImage(values, 0.001)
    assert depth.values is values
    assert depth.size == ImageSize(4, 3)


@pytest.mark.parametrize(
    "values", [np.zeros((3, 4, 1), np.uint16), np.zeros((3, 4)), np.zeros(4, np.float32)]
)
def test_other_arrays_are_no_depth_image(values: Any) -> None:
    with pytest.raises(ImageError, match=re.escape(f"{values.shape} and type {values.dtype}")):
        DepthImage(values, 0.001)


# Patches


@KINDS
def test_depth_of_a_wall_is_its_distance(dtype: Any, unit: float) -> None:
    z_m = np.full((100, 120), 2.345)
    assert sample(z_m, (60, 50), dtype=dtype, unit=unit) == pytest.approx(2.345)


def test_the_surface_counts_whatever_the_landmark() -> None:
    pose = pose_at({index: (60, 50) for index in range(33)})
    found_m = sample_depth(depth_image(np.full((100, 120), 2.0)), pose, LIMITS_M)
    np.testing.assert_array_equal(found_m, 2.0)


@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf, -np.inf, -1.0, 0.05, 11.0])
def test_holes_and_what_is_beyond_the_limits_do_not_count(hole: float) -> None:
    z_m = np.full((100, 120), 2.0)
    z_m[::2], z_m[:, ::2] = hole, hole  # a quarter of the pixels is left
    assert sample(z_m, (60, 50)) == pytest.approx(2.0)
    z_m[:] = hole
    assert np.isnan(sample(z_m, (60, 50)))
    z_m[50, 60] = 2.0  # one pixel is too few
    assert np.isnan(sample(z_m, (60, 50)))


@KINDS
def test_a_thin_limb_counts_and_not_the_wall_behind(dtype: Any, unit: float) -> None:
    z_m = np.full((100, 120), 3.0)
    z_m[:, 60:62] = 1.5  # two of seven columns
    assert sample(z_m, (60, 50), dtype=dtype, unit=unit) == pytest.approx(1.5)
    z_m[:, 62] = 2.2  # a pixel between limb and wall, as many cameras make them
    assert sample(z_m, (60, 50), dtype=dtype, unit=unit) == pytest.approx(1.5)


def test_single_near_pixels_are_noise() -> None:
    z_m = np.full((100, 120), 3.0)
    z_m[48, 60] = z_m[52, 58] = 0.4
    assert sample(z_m, (60, 50)) == pytest.approx(3.0)


def test_noise_is_averaged_without_bias() -> None:
    rng = np.random.default_rng(0)
    found = [sample(rng.normal(2.0, 0.02, (100, 120)), (60, 50)) for _ in range(200)]
    assert np.mean(found) == pytest.approx(2.0, abs=0.003)
    assert np.std(found) < 0.006


@pytest.mark.parametrize(
    ("point", "is_inside"),
    [
        ((0, 0), True), ((-0.4, -0.4), True), ((119.4, 99.4), True), ((119, 0), True),
        ((-0.6, 50), False), ((119.6, 50), False), ((50, 99.6), False), ((NAN, 50), False),
        ((1e30, 50), False), ((50, -np.inf), False),
    ],
)  # fmt: skip
def test_depth_is_known_inside_of_the_image_only(
    point: tuple[float, float], is_inside: bool
) -> None:
    assert np.isfinite(sample(np.full((100, 120), 2.0), point)) == is_inside


def test_a_patch_at_the_edge_has_only_its_own_pixels() -> None:
    z_m = np.full((100, 120), 5.0)
    z_m[:4, :4] = 2.0  # all of the patch around the first pixel that is inside
    assert sample(z_m, (0, 0)) == pytest.approx(2.0)


@pytest.mark.parametrize("edge", [(0, 50), (119, 50), (60, 0), (60, 99)])
def test_the_pixels_of_the_edge_count_once(edge: tuple[int, int]) -> None:
    x, y = edge
    z_m = np.zeros((100, 120))
    line = (slice(None), x) if x in (0, 119) else y
    z_m[line] = 2.0  # 7 of the patch's 49 pixels are too few, twice as many would do
    assert np.isnan(sample(z_m, edge))


def test_the_patch_grows_with_the_person() -> None:
    z_m = np.full((100, 120), 3.0)
    z_m[44:57, 54:67] = 2.0
    z_m[47:54, 57:64] = 0.0
    pose_small, pose_large = pose_at({NOSE: (60, 50)}, 300), pose_at({NOSE: (60, 50)}, 1000)
    assert np.isnan(sample_depth(depth_image(z_m), pose_small, LIMITS_M)[NOSE])
    assert sample_depth(depth_image(z_m), pose_large, LIMITS_M)[NOSE] == pytest.approx(2.0)


# The body


def measured(**z_m: float) -> Float64Array:
    values = np.full(33, NAN)
    for name, value in z_m.items():
        values[NAMES.index(name)] = value
    return values


def test_one_hip_is_enough_for_all() -> None:
    world_z_m = np.linspace(-0.3, 0.3, 33)
    z_m = align_world_to_depth(measured(left_hip=2 + world_z_m[LEFT_HIP]), world_z_m)
    assert z_m is not None
    np.testing.assert_allclose(z_m, 2 + world_z_m)


def test_without_hips_a_shoulder_counts_and_without_both_nothing() -> None:
    z_m = align_world_to_depth(measured(right_shoulder=3.0, nose=2.9), np.zeros(33))
    assert z_m is not None
    assert z_m[NOSE] == 2.9
    assert align_world_to_depth(measured(nose=2.9, left_wrist=3.0), np.zeros(33)) is None
    assert align_world_to_depth(measured(), np.zeros(33)) is None


def test_a_hip_behind_a_table_does_not_count() -> None:
    z_m = align_world_to_depth(
        measured(left_hip=1.2, right_hip=2.02, left_shoulder=2.0, nose=1.98), np.zeros(33)
    )
    assert z_m is not None
    np.testing.assert_allclose(z_m[[LEFT_HIP, RIGHT_HIP, LEFT_SHOULDER]], (2.0, 2.02, 2.0))


@pytest.mark.parametrize("wrong_m", [-1.0, -0.2, 0.2, 5.0])
def test_measured_landmarks_count_where_they_agree_with_the_body(wrong_m: float) -> None:
    hips = {"left_hip": 2.0, "right_hip": 2.0, "left_shoulder": 2.0}
    world_z_m = np.zeros(33)
    world_z_m[WRIST] = -0.5
    near = align_world_to_depth(measured(**hips, left_wrist=1.57), world_z_m)
    wall = align_world_to_depth(measured(**hips, left_wrist=1.5 + wrong_m), world_z_m)
    assert near is not None
    assert wall is not None
    assert near[WRIST] == pytest.approx(1.57)
    assert wall[WRIST] == pytest.approx(1.5)


# Limbs' reach

RAYS = np.ones((25, 3)) * (0.0, 0.0, 1.0)


def upper(**z_m: float) -> Float64Array:
    return measured(**z_m)[:25]


ARM = {"nose": 2.0, "left_ear": 2.0, "left_shoulder": 2.05, "left_elbow": 2.0, "left_wrist": 1.8}


def test_landmarks_that_fit_are_kept_as_measured() -> None:
    z_m = keep_reachable(upper(**ARM), RAYS)
    np.testing.assert_array_equal(z_m, upper(**ARM))


@pytest.mark.parametrize("name", ARM)
@pytest.mark.parametrize("wrong_m", [-1.2, 3.0])
def test_a_landmark_out_of_reach_is_unknown(name: str, wrong_m: float) -> None:
    z_m = keep_reachable(upper(**{**ARM, name: ARM[name] + wrong_m}), RAYS)
    np.testing.assert_array_equal(z_m, upper(**{**ARM, name: NAN}))


def test_reach_is_that_of_all_limbs_between() -> None:
    """Where the elbow is unknown, the wrist is within an arm's length of the shoulder."""
    arm = {**ARM, "left_elbow": NAN}
    for wrist_m, expected_m in ((2.8, 2.8), (3.0, NAN)):
        z_m = keep_reachable(upper(**{**arm, "left_wrist": wrist_m}), RAYS)
        np.testing.assert_array_equal(z_m, upper(**{**arm, "left_wrist": expected_m}))


def test_reach_is_across_the_image_too() -> None:
    rays = RAYS.copy()
    rays[WRIST] = (1.0, 0.0, 1.0)
    z_m = keep_reachable(upper(**ARM), rays)
    np.testing.assert_array_equal(z_m, upper(**{**ARM, "left_wrist": NAN}))


def test_shoulders_of_a_broad_adult_are_within_reach() -> None:
    rays = RAYS.copy()
    rays[LEFT_SHOULDER, 0], rays[RIGHT_SHOULDER, 0] = 0.13, -0.13  # 0.52 m apart
    people_m = upper(nose=2.0, left_shoulder=2.0, right_shoulder=2.0)
    np.testing.assert_array_equal(keep_reachable(people_m, rays), people_m)


def test_a_few_landmarks_alone_tell_nothing() -> None:
    assert keep_reachable(upper(nose=2.0, left_ear=2.0), RAYS) is None
    assert keep_reachable(upper(nose=2.0, left_ear=4.0, left_wrist=8.0), RAYS) is None
    assert keep_reachable(upper(), RAYS) is None


@given(st.lists(st.one_of(st.just(NAN), st.floats(0.1, 10)), min_size=25, max_size=25))
def test_nothing_is_made_up(values: list[float]) -> None:
    given_m = np.array(values)
    z_m = keep_reachable(given_m, RAYS)
    if z_m is not None:
        is_known = np.isfinite(z_m)
        assert is_known.sum() >= 3
        assert (z_m[is_known] == given_m[is_known]).all()
