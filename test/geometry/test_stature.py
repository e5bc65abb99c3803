"""The metric body, and people whose height is known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic.scenes import Scene, all_scenes, pose_of

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, Poses
from pose_ros.geometry.located import Position
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator
from pose_ros.geometry.stature import stature_m, usual_body

SIZES = pytest.mark.parametrize("size", [0.7, 0.9, 1.2])


def body_m(scene: Scene, size: float = 1.0) -> Float32Array:
    pose = pose_of(scene, np.random.default_rng(1), world_scale=size)
    assert pose.world_landmarks_m is not None
    return pose.world_landmarks_m


def located(scene: Scene, size: float, landmarks: int = 33, height_m: float = 0.0) -> Position:
    """Return the position of a person whose metric body is given in another size."""
    pose = pose_of(scene, np.random.default_rng(1), world_scale=size, landmarks=landmarks)
    estimator = PositionEstimator(PositionOptions(person_height_m=height_m))
    (position,) = estimator.estimate(Poses([pose]), scene.camera, None)
    return position


def test_a_body_is_as_tall_in_every_posture_and_from_every_side() -> None:
    heights_m = [stature_m(body_m(scene)) for scene in all_scenes()]
    assert np.ptp(heights_m) < 0.01 * np.median(heights_m)


@SIZES
def test_a_body_twice_as_large_is_twice_as_tall(size: float) -> None:
    assert stature_m(body_m(all_scenes()[0], size)) == pytest.approx(
        size * stature_m(body_m(all_scenes()[0]))
    )


def posture(body_m: Float64Array) -> Float64Array:
    """Return where the bones of trunk and legs lead, (n, 3)."""
    starts, ends = [11, 12, 23, 24, 25, 26], [23, 24, 25, 26, 27, 28]
    bones_m = body_m[ends] - body_m[starts]
    directions: Float64Array = bones_m / np.linalg.norm(bones_m, axis=1, keepdims=True)
    return directions


@SIZES
@pytest.mark.parametrize("tenth", range(10))
def test_the_usual_body_has_the_posture_and_the_height_whatever_the_models_bones(
    tenth: int, size: float
) -> None:
    scene = all_scenes()[:: len(all_scenes()) // 10][tenth]
    given_m = body_m(scene, size).astype(np.float64)
    guessed_m = given_m.copy()
    guessed_m[[25, 27, 29, 31]] += (given_m[25] - given_m[23]) * 0.3  # the left thigh is longer
    found_m, from_guessed_m = (
        usual_body(one.astype(np.float32), 1.8) for one in (given_m, guessed_m)
    )
    assert found_m is not None
    assert from_guessed_m is not None
    assert stature_m(found_m.astype(np.float32)) == pytest.approx(1.8)
    np.testing.assert_allclose(found_m[[23, 24]].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(posture(found_m)[2:], posture(given_m)[2:], atol=1e-6)
    legs_m, given_legs_m = (one[25:] - one[[23, 24] * 4] for one in (from_guessed_m, found_m))
    np.testing.assert_allclose(
        np.linalg.norm(legs_m, axis=1), np.linalg.norm(given_legs_m, axis=1), rtol=0.02
    )


def test_landmarks_in_one_place_have_no_body() -> None:
    assert usual_body(np.zeros((33, 3), np.float32), 1.7) is None
    assert usual_body(np.full((33, 3), np.nan, np.float32), 1.7) is None


@SIZES
def test_people_are_as_far_away_as_their_height_says_whatever_the_models_body(size: float) -> None:
    """Without it they are adults of 1.70 m; all distances are in proportion."""
    height_m = stature_m(body_m(all_scenes()[0]))
    for scene in all_scenes():
        right = located(scene, size=1.0, height_m=height_m)
        known = located(scene, size, height_m=height_m)
        np.testing.assert_allclose(known.landmarks_m, right.landmarks_m, rtol=1e-4)
        assert known.height_m == pytest.approx(height_m)
        unknown = located(scene, size)
        in_proportion_m = right.landmarks_m * 1.7 / height_m
        np.testing.assert_allclose(unknown.landmarks_m, in_proportion_m, rtol=0.01)
        assert np.isnan(unknown.height_m)
        of_known, of_unknown = (
            one.distance_std_m / np.linalg.norm(one.pelvis_m) for one in (known, unknown)
        )
        assert of_known < of_unknown < 0.2  # in some scenes the hips are out of the image


def test_a_known_height_gives_the_upper_body_no_position() -> None:
    assert located(all_scenes()[0], 1.0, landmarks=25, height_m=1.8).source == "none"
