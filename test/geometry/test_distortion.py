"""Lens distortion: OpenCV's own projection, the way back, and where there is none."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_ros.blazepose.datatypes import Float64Array, ImageSize
from pose_ros.blazepose.errors import CameraError, PoseError
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.distortion import Distortion, distortion_from

SIZE = ImageSize(640, 480)
EXACT_PX = 0.01
# Of the kinds that cameras are sold with: model, coefficients, focal length in px.
LENSES: dict[str, tuple[str, tuple[float, ...], float]] = {
    "mild": ("plumb_bob", (0.1, -0.2, 0.001, -0.0005, 0.05), 525),
    "without k3": ("plumb_bob", (-0.12, 0.05, 0.002, -0.001), 525),
    "strong barrel": ("plumb_bob", (-0.35, 0.12, 0.001, -0.001, -0.02), 380),
    "folds in the image": ("plumb_bob", (-0.3, 0.0, 0.0005, 0.0, 0.0), 400),
    "pincushion": ("plumb_bob", (0.3, 0.1, 0.001, -0.001, 0.0), 525),
    "rational": (
        "rational_polynomial", (0.43, -2.76, 0.0008, -0.0003, 1.6, 0.31, -2.58, 1.53), 505,
    ),
    "rational that folds": (
        "rational_polynomial", (-0.3, 0.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0), 400,
    ),
    "thin prism": (
        "rational_polynomial",
        (-0.2, 0.05, 0.001, 0.0, 0.0, 0.1, 0.0, 0.0, 0.003, -0.001, 0.002, 0.001), 450,
    ),
    "tilted": ("plumb_bob", (-0.2, 0.05, 0.001, -0.001, *(0.0,) * 8, 0.02, -0.03), 450),
    "fisheye 180 deg": ("equidistant", (0.02, -0.01, 0.003, -0.0005), 203),
    "fisheye that folds": ("equidistant", (-0.1, -0.02, 0.0, 0.0), 150),
}  # fmt: skip
EACH_LENS = pytest.mark.parametrize("name", LENSES)


def lens(name: str) -> Distortion:
    model, coefficients, _ = LENSES[name]
    distortion = distortion_from(model, coefficients)
    assert distortion is not None
    return distortion


def camera(name: str) -> Camera:
    focal = float(LENSES[name][2])
    return Camera(SIZE, focal, focal * 1.01, 321.0, 238.0, True, lens(name))


def opencv(name: str, plane: npt.ArrayLike) -> Float64Array:
    """Project points (n, 2) of the plane z = 1 as OpenCV does, with the identity as matrix."""
    points = np.column_stack((plane, np.ones(len(np.asarray(plane))))).reshape(-1, 1, 3)
    zero, eye = np.zeros((3, 1)), np.eye(3)
    model, coefficients, _ = LENSES[name]
    if model == "equidistant":
        shown, _ = cv2.fisheye.projectPoints(points, zero, zero, eye, np.array(coefficients))
    else:
        shown, _ = cv2.projectPoints(points, zero, zero, eye, np.array(coefficients))
    return np.asarray(shown, np.float64).reshape(-1, 2)


def every_pixel(step_px: int = 3) -> Float64Array:
    x, y = np.meshgrid(np.arange(-20, 660, step_px), np.arange(-20, 500, step_px))
    return np.column_stack((x.ravel(), y.ravel())).astype(np.float64)


def field(name: str, radius: float) -> Float64Array:
    """Points of the plane z = 1 on a fine polar grid, from the axis outwards."""
    angle, length = np.meshgrid(np.linspace(0, 2 * math.pi, 24), np.linspace(0, radius, 400))
    return np.column_stack(((np.cos(angle) * length).ravel(), (np.sin(angle) * length).ravel()))


@EACH_LENS
def test_the_lens_is_opencvs(name: str) -> None:
    plane = field(name, 0.6)
    shown = lens(name).distort(plane)
    assert np.isfinite(shown).all()
    np.testing.assert_allclose(shown, opencv(name, plane), rtol=0, atol=1e-12)


@EACH_LENS
def test_a_ray_shows_its_pixel(name: str) -> None:
    points = every_pixel()
    rays = camera(name).rays(points)
    known = np.isfinite(rays).all(axis=1)
    assert np.isnan(rays[~known]).all()
    shown = opencv(name, rays[known, :2]) * (camera(name).fx, camera(name).fy) + (321, 238)
    assert np.abs(shown - points[known]).max() < EXACT_PX
    print(f"{name}: {known.mean():.1%} of the pixels have a ray")


@EACH_LENS
def test_every_point_that_is_shown_is_found_again(name: str) -> None:
    """So rays are missing only where the lens is not invertible, and never of another point."""
    plane = field(name, 3.0)
    shown = lens(name).distort(plane)
    is_shown = np.isfinite(shown).all(axis=1)
    assert is_shown.mean() > 0.3
    back = lens(name).undistort(shown[is_shown])
    distance = np.hypot(*(back - plane[is_shown]).T)
    # Next to the fold the picture hardly moves with the point: there the picture is compared.
    miss_px = np.hypot(*(opencv(name, back) - shown[is_shown]).T) * LENSES[name][2]
    assert np.isfinite(back).all()
    assert miss_px.max() < EXACT_PX
    assert distance.max() < 1e-3
    assert np.median(distance) < 1e-7


@pytest.mark.parametrize(
    "name", ["strong barrel", "folds in the image", "rational that folds", "fisheye that folds"]
)
def test_what_lies_beyond_the_fold_has_neither_pixel_nor_ray(name: str) -> None:
    outwards = np.linspace(0, 20, 20001)
    plane = np.column_stack((outwards, np.zeros(20001)))
    is_shown = np.isfinite(lens(name).distort(plane)[:, 0])
    fold = int(is_shown.argmin())
    assert 0 < fold < 20000
    assert not is_shown[fold:].any()
    radius = np.hypot(*opencv(name, plane[: 2 * fold]).T)
    assert abs(int(radius[: fold + 100].argmax()) - fold) <= 2
    farthest = radius[:fold].max()
    assert np.isnan(lens(name).undistort(np.array([(farthest + 0.01, 0.0)]))).all()


def test_image_corners_behind_the_fold_are_unknown() -> None:
    rays = camera("folds in the image").rays(every_pixel())
    assert 0.1 < np.isnan(rays[:, 0]).mean() < 0.6
    assert np.isfinite(camera("folds in the image").rays([(321, 238), (400, 300)])).all()


def test_fisheye_knows_only_what_is_in_front_of_the_camera() -> None:
    fisheye = camera("fisheye 180 deg")
    across = lens("fisheye 180 deg")
    edge = float(across.distort(np.array([(1e9, 0.0)]))[0, 0]) * fisheye.fx
    inside, outside = fisheye.rays([(321 + edge - 0.5, 238), (321 + edge + 0.5, 238)])
    assert math.degrees(math.atan(inside[0])) == pytest.approx(89.85, abs=0.1)
    assert np.isnan(outside).all()


_plane = st.tuples(st.floats(-0.55, 0.55), st.floats(-0.55, 0.55))


@given(st.sampled_from(sorted(LENSES)), st.lists(_plane, max_size=5), st.floats(0.1, 20))
def test_points_in_view_come_back_from_their_pixels(
    name: str, plane: list[tuple[float, float]], z_m: float
) -> None:
    points_m = np.array([(x * z_m, y * z_m, z_m) for x, y in plane]).reshape(-1, 3)
    back = camera(name).rays(camera(name).project(points_m)) * z_m
    np.testing.assert_allclose(back, points_m, rtol=0, atol=1e-5 * z_m)


@given(
    st.floats(-0.4, 0.4), st.floats(-0.3, 0.3), st.floats(-0.1, 0.1), st.floats(-0.005, 0.005),
    st.lists(st.tuples(st.floats(-1000, 1640), st.floats(-1000, 1480)), min_size=1, max_size=5),
)  # fmt: skip
def test_no_lens_gives_a_wrong_ray(
    k1: float, k2: float, k3: float, p1: float, points: list[tuple[float, float]]
) -> None:
    any_camera = Camera(
        SIZE, 400.0, 400.0, 320.0, 240.0, True, distortion_from("plumb_bob", (k1, k2, p1, p1, k3))
    )
    rays = any_camera.rays(points)
    known = np.isfinite(rays).all(axis=1)
    shown = any_camera.project(rays[known])
    np.testing.assert_allclose(shown, np.array(points)[known], rtol=0, atol=EXACT_PX)
    assert np.isnan(rays[~known]).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
@EACH_LENS
def test_what_is_no_pixel_has_no_ray(name: str, bad: float) -> None:
    rays = camera(name).rays([(bad, 0), (300, 200), (0, bad)])
    assert np.isnan(rays[[0, 2]]).all()
    assert np.isfinite(rays[1]).all()


@EACH_LENS
def test_no_points_give_none(name: str) -> None:
    assert camera(name).rays(np.empty((0, 2))).shape == (0, 3)
    assert camera(name).project(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "", "unheard of"])
@pytest.mark.parametrize("coefficients", [(), (0.0,) * 4, (0.0,) * 5, (0,) * 8])
def test_without_coefficients_there_is_no_distortion(
    model: str, coefficients: tuple[float, ...]
) -> None:
    assert distortion_from(model, coefficients) is None


def test_fisheye_with_zeros_is_still_a_fisheye() -> None:
    assert distortion_from("equidistant", ()) is None
    fisheye = distortion_from("equidistant", (0, 0, 0, 0))
    assert fisheye is not None
    shown = fisheye.distort(np.array([(1.0, 0.0)]))
    np.testing.assert_allclose(shown, [(math.pi / 4, 0)])


def test_unknown_model_is_rejected_with_its_name_and_what_is_allowed() -> None:
    with pytest.raises(CameraError) as rejected:
        distortion_from("fov", (0.9,))
    assert str(rejected.value) == (
        "the distortion model is 'fov'; allowed is one of plumb_bob, rational_polynomial, "
        "equidistant"
    )
    assert issubclass(CameraError, PoseError)


@pytest.mark.parametrize(
    ("model", "coefficients", "allowed"),
    [
        ("plumb_bob", (0.1,), "4, 5, 8, 12, 14"),
        ("rational_polynomial", (0.1,) * 6, "4, 5, 8, 12, 14"),
        ("plumb_bob", (0.1, math.nan, 0, 0, 0), "4, 5, 8, 12, 14"),
        ("equidistant", (0.1,) * 5, "4"),
        ("equidistant", (0.1, 0, 0, math.inf), "4"),
        ("plumb_bob", (1e200, 0, 0, 0, 0), "4, 5, 8, 12, 14"),
    ],
)
def test_other_coefficients_are_rejected(
    model: str, coefficients: tuple[float, ...], allowed: str
) -> None:
    with pytest.raises(CameraError, match=f"allowed are {allowed} numbers") as rejected:
        distortion_from(model, coefficients)
    assert model in str(rejected.value)
    assert str([float(c) for c in coefficients]) in str(rejected.value)


def test_the_same_calibration_is_the_same_lens() -> None:
    assert distortion_from("plumb_bob", [0.1, 0, 0, 0]) is distortion_from(
        "plumb_bob", np.array([0.1, 0, 0, 0])
    )
    assert lens("mild") != lens("strong barrel")
