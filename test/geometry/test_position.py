"""Positions in front of the camera, against bodies of known geometry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import scenes
from synthetic.scenes import VISIBLE, Scene, observe, pose_of

from pose_ros.blazepose.datatypes import Float64Array, Pose, Poses
from pose_ros.blazepose.errors import ImageError, OptionError
from pose_ros.geometry import body_origin
from pose_ros.geometry.body_origin import PlacedBody, place_body, surface_z
from pose_ros.geometry.depth import MIN_VISIBILITY, DepthImage
from pose_ros.geometry.located import Position
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator

MEDIAN_M, P95_M = 0.02, 0.06
OF_DISTANCE = 0.03
EXACT_PX = 0.01
FRAME_NS = 33_333_000

DEPTH_TYPES = pytest.mark.parametrize("dtype", [np.uint16, np.float32])
BODY_M = 1.72
# Standing, turned by 50 degrees, seen through a plumb-bob lens from 1.75 m.
NEAR = 21


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def estimator(source: str = "auto") -> PositionEstimator:
    """One who knows how tall the body is; that is what other tests are about."""
    return PositionEstimator(PositionOptions(position_source=source, person_height_m=BODY_M))


def locate(scene: Scene, pose: Pose, depth: DepthImage | None, source: str = "auto") -> Position:
    (position,) = estimator(source).estimate(Poses([pose]), scene.camera, depth)
    return position


def check_honest(scene: Scene, pose: Pose, position: Position) -> None:
    """A landmark is unknown as a whole, or in front of the camera on the ray of its pixel.

    The source names where the distance is from, and "none" only if all are unknown.
    """
    points, pixels = position.landmarks_m, pose.landmarks_px[:, :2]
    known = np.isfinite(points).all(axis=1)
    assert np.isnan(points[~known]).all()
    assert (points[known, 2] > 0).all()
    # Far outside of the image the pixels themselves are not more exact than float32.
    exact_px = np.maximum(EXACT_PX, 1e-6 * np.abs(pixels[known]))
    assert (np.abs(scene.camera.project(points[known]) - pixels[known]) < exact_px).all()
    assert (position.source in ("depth", "world")) == known.any()
    assert (position.source == "none") == (not known.any())


def report(name: str, errors_m: Float64Array, unit: str = "cm") -> tuple[float, float]:
    """Print and return median and 95th percentile of what is known."""
    known = errors_m[np.isfinite(errors_m)] * 100
    median, p95, p99 = np.percentile(known, (50, 95, 99))
    unknown = np.isnan(errors_m).mean()
    print(
        f"{name}: median {median:.2f}, p95 {p95:.2f}, p99 {p99:.2f}, max {known.max():.2f} {unit}"
        f" of {known.size}; unknown {unknown:.1%}"
    )
    return float(median) / 100, float(p95) / 100


def depth_errors(
    pose: Callable[[Scene, np.random.Generator], Pose],
    dtype: type = np.uint16,
    inside_flesh: bool = False,
) -> Float64Array:
    """Return the errors (scenes, N) of depth mode in meters."""
    rng, errors = random(), []
    for scene in scenes.all_scenes(inside_flesh):
        found = pose(scene, rng)
        position = locate(scene, found, observe(scene, rng, dtype), "depth")
        check_honest(scene, found, position)
        truth_m = scene.joints_m[: len(position.landmarks_m)]
        errors.append(np.linalg.norm(position.landmarks_m - truth_m, axis=1))
    return np.array(errors)


# With a depth image


@DEPTH_TYPES
@pytest.mark.parametrize("world_noise_m", [0.0, 0.02, 0.025])
def test_depth_finds_all_landmarks_of_the_whole_body(dtype: type, world_noise_m: float) -> None:
    errors_m = depth_errors(
        lambda scene, rng: pose_of(scene, rng, world_noise_m=world_noise_m), dtype
    )
    name = f"depth, 33 landmarks, {dtype.__name__}, world landmarks +- {world_noise_m * 100} cm"
    median_m, p95_m = report(name, errors_m)
    assert median_m <= MEDIAN_M
    assert p95_m <= P95_M
    assert np.isnan(errors_m).mean() < 0.02


@pytest.mark.parametrize(("world_noise_m", "world_scale"), [(0.04, 1.0), (0.025, 0.9)])
def test_depth_with_a_poor_model_is_still_measured(
    world_noise_m: float, world_scale: float
) -> None:
    """What is hidden is then off by as much as the model; it is reported, and not bounded."""
    errors_m = depth_errors(
        lambda scene, rng: pose_of(
            scene, rng, world_noise_m=world_noise_m, world_scale=world_scale
        )
    )
    name = f"depth, 33 landmarks, world +- {world_noise_m * 100} cm, scale {world_scale}"
    median_m, _ = report(name, errors_m)
    visible = np.array([scene.visibility == VISIBLE for scene in scenes.all_scenes()])
    report("  the visible ones", errors_m[visible])
    report("  the hidden ones", errors_m[~visible])
    assert median_m <= MEDIAN_M


def test_depth_of_joints_inside_of_the_body() -> None:
    """The camera sees the surface, and no guess is made of what is below: they are off by that."""
    errors_m = depth_errors(
        lambda scene, rng: pose_of(scene, rng, world_noise_m=0.02), inside_flesh=True
    )
    median_m, p95_m = report("depth, 33 landmarks, joints below up to 12 cm of flesh", errors_m)
    assert MEDIAN_M < median_m <= 0.12
    assert p95_m <= 0.2


def test_depth_where_the_model_calls_hidden_landmarks_visible() -> None:
    """Then what hides a landmark counts as the landmark, if it is within 15 cm."""

    def gullible(scene: Scene, rng: np.random.Generator) -> Pose:
        pose = pose_of(scene, rng, world_noise_m=0.02)
        seen = np.where(pose.visibility > scenes.OUTSIDE, VISIBLE, pose.visibility)
        return dataclasses.replace(pose, visibility=seen)

    median_m, p95_m = report("depth, 33 landmarks, all called visible", depth_errors(gullible))
    assert median_m <= MEDIAN_M
    assert p95_m <= 0.15


@DEPTH_TYPES
def test_depth_finds_the_visible_landmarks_of_the_upper_body(dtype: type) -> None:
    errors_m = depth_errors(lambda scene, rng: pose_of(scene, rng, landmarks=25), dtype)
    median_m, p95_m = report(f"depth, 25 landmarks, {dtype.__name__}", errors_m)
    visibility = np.array([scene.visibility[:25] for scene in scenes.all_scenes()])
    is_visible = visibility >= MIN_VISIBILITY
    unknown = np.isnan(errors_m[is_visible]).mean()
    print(f"  unknown of the visible ones {unknown:.1%}, which are {is_visible.mean():.1%}")
    assert median_m <= MEDIAN_M
    assert p95_m <= P95_M
    assert unknown < 0.1
    assert np.isnan(errors_m[~is_visible]).all()


# With the camera alone


def placed(scene: Scene, pose: Pose) -> PlacedBody | None:
    """Return the world landmarks, as they are, where they fit."""
    assert pose.world_landmarks_m is not None
    rays = scene.camera.rays(pose.landmarks_px[:, :2])
    body_m = pose.world_landmarks_m.astype(np.float64)
    return place_body(body_m, pose.visibility, rays)


def origin_errors(
    distort: Callable[[Pose], Pose] = lambda pose: pose, **noise: float
) -> Float64Array:
    """Return the errors of the body reference, as a part of the distance."""
    rng, errors = random(), []
    for scene in scenes.all_scenes():
        pose = distort(pose_of(scene, rng, **noise))  # type: ignore[arg-type]
        found = placed(scene, pose)
        error_m = np.nan if found is None else np.linalg.norm(found.origin_m - scene.mid_hip_m)
        errors.append(error_m / np.linalg.norm(scene.mid_hip_m))
    return np.array(errors)


def test_camera_alone_is_exact_for_exact_landmarks() -> None:
    errors = origin_errors(pixel_noise=0.0)
    assert np.nanmax(errors) < 1e-4
    assert np.isnan(errors).mean() < 0.05


@pytest.mark.parametrize("world_noise_m", [0.0, 0.02])
def test_camera_alone_finds_the_body(world_noise_m: float) -> None:
    errors = origin_errors(world_noise_m=world_noise_m)
    report(f"camera alone, 1 px, world landmarks +- {world_noise_m * 100} cm", errors, "%")
    assert np.nanmax(errors) <= OF_DISTANCE
    assert np.isnan(errors).mean() < 0.05


def test_camera_alone_with_a_poor_model() -> None:
    """Single images may be off by more than the 3 %, which hold for 95 % of them."""
    errors = origin_errors(world_noise_m=0.03, pixel_noise=2.0)
    _, p95 = report("camera alone, 2 px, world landmarks +- 3 cm", errors, "%")
    assert p95 <= OF_DISTANCE


def test_one_bad_limb_does_not_move_the_body() -> None:
    def bend_arm(pose: Pose) -> Pose:
        assert pose.world_landmarks_m is not None
        world_m = pose.world_landmarks_m.copy()
        world_m[[13, 15, 17, 19, 21]] += (0.6, 0, -0.6)
        return dataclasses.replace(pose, world_landmarks_m=world_m)

    errors = origin_errors(bend_arm)
    report("camera alone, an arm off by 0.85 m", errors, "%")
    assert np.nanmax(errors) <= OF_DISTANCE


def rigid_errors(distort: Callable[[Pose], Pose]) -> Float64Array:
    """Return errors as origin_errors does, of a body whose legs do not turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_origin, "_LEGS_WEIGHT", 1e9)
        return origin_errors(distort)


@pytest.mark.parametrize("lean_deg", [-10.0, 10.0])
def test_legs_that_lead_elsewhere_than_the_model_says_move_the_body_less(lean_deg: float) -> None:
    """A model does not see whether a camera looks down. Their turn is found in part."""
    cos, sin = np.cos(np.radians(lean_deg)), np.sin(np.radians(lean_deg))
    turn = np.array(((1, 0, 0), (0, cos, -sin), (0, sin, cos)))

    def lean(pose: Pose) -> Pose:
        assert pose.world_landmarks_m is not None
        world_m = pose.world_landmarks_m.astype(np.float64)
        world_m[25:] = world_m[25:] @ turn.T
        return dataclasses.replace(pose, world_landmarks_m=world_m.astype(np.float32))

    errors = origin_errors(lean)
    with_rigid_legs = rigid_errors(lean)
    report(f"camera alone, legs off by {lean_deg} degrees", errors, "%")
    report("  with legs that stay", with_rigid_legs, "%")
    assert np.nanmedian(errors) < 0.8 * np.nanmedian(with_rigid_legs)


def test_all_landmarks_of_the_camera_alone_lie_on_their_rays() -> None:
    rng, errors = random(), []
    for scene in scenes.all_scenes():
        pose = pose_of(scene, rng, world_noise_m=0.02)
        position = locate(scene, pose, None)
        check_honest(scene, pose, position)
        errors.append(np.linalg.norm(position.landmarks_m - scene.joints_m, axis=1))
    report("camera alone, all landmarks", np.array(errors))


def test_too_few_visible_landmarks_give_no_body() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random())
    visibility = np.where(np.arange(33) < 5, 1, 0.1)
    hidden = dataclasses.replace(pose, visibility=visibility)
    assert locate(scene, hidden, None).source == "none"


def test_landmarks_in_one_point_give_no_body() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random())
    point = np.tile(np.array((300, 200, 0), np.float32), (33, 1))
    assert locate(scene, dataclasses.replace(pose, landmarks_px=point), None).source == "none"


def test_a_body_behind_the_camera_is_none() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random())
    assert pose.world_landmarks_m is not None
    mirrored = dataclasses.replace(pose, world_landmarks_m=-pose.world_landmarks_m)
    assert placed(scene, mirrored) is None
    assert locate(scene, mirrored, None).source == "none"


def test_a_landmark_that_would_lie_behind_the_camera_is_unknown() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random())
    world_m = np.zeros((33, 3), np.float32)
    world_m[0, 2] = -0.5
    close = DepthImage(np.full(scene.z_m.shape, 300, np.uint16), 0.001)
    position = locate(scene, dataclasses.replace(pose, world_landmarks_m=world_m), close)
    assert np.isnan(position.landmarks_m[0]).all()
    np.testing.assert_allclose(position.landmarks_m[1:, 2], 0.3, atol=1e-6)


# Which source


@pytest.mark.parametrize(
    ("source", "has_depth", "landmarks", "expected"),
    [
        ("auto", True, 33, "depth"), ("auto", False, 33, "world"),
        ("auto", True, 25, "depth"), ("auto", False, 25, "none"),
        ("depth", True, 33, "depth"), ("depth", False, 33, "none"),
        ("world", True, 33, "world"), ("world", True, 25, "none"),
        ("none", True, 33, "none"), ("none", False, 25, "none"),
    ],
)  # fmt: skip
def test_the_best_source_that_is_allowed_is_used(
    source: str, has_depth: bool, landmarks: int, expected: str
) -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random(), landmarks=landmarks)
    depth = observe(scene, random()) if has_depth else None
    position = locate(scene, pose, depth, source)
    assert position.source == expected
    assert np.isfinite(position.landmarks_m).any() == (expected != "none")
    assert position.landmarks_m.shape == (landmarks, 3)


@pytest.mark.parametrize(("source", "expected"), [("auto", "world"), ("depth", "none")])
def test_a_depth_image_of_holes_gives_no_reference(source: str, expected: str) -> None:
    scene = scenes.all_scenes()[NEAR]
    depth = DepthImage(np.zeros(scene.z_m.shape, np.uint16), 0.001)
    assert locate(scene, pose_of(scene, random()), depth, source).source == expected


def test_an_assumed_camera_measures_nothing() -> None:
    scene = scenes.all_scenes()[NEAR]
    assumed = dataclasses.replace(scene.camera, is_calibrated=False)
    depth, pose = observe(scene, random()), pose_of(scene, random())
    (position,) = estimator().estimate(Poses([pose]), assumed, depth)
    assert position.source == "none"
    assert np.isnan(position.landmarks_m).all()


def test_depth_of_another_size_is_rejected() -> None:
    scene = scenes.all_scenes()[NEAR]
    depth = DepthImage(np.zeros((240, 320), np.uint16), 0.001)
    with pytest.raises(ImageError, match=r"\(320, 240\).*\(640, 480\)"):
        locate(scene, pose_of(scene, random()), depth)


def test_nobody_gives_nothing() -> None:
    scene = scenes.all_scenes()[NEAR]
    assert estimator().estimate(Poses(), scene.camera, None) == ()


def test_a_position_is_read_only_and_of_one_shape() -> None:
    position = Position(np.zeros((33, 3), np.float32), "depth")
    with pytest.raises(ValueError, match="read-only"):
        position.landmarks_m[0] = 1
    with pytest.raises(ValueError, match="landmarks_m has shape"):
        Position(np.zeros((33, 2), np.float32), "depth")


# The pelvis, and how sure it is


@pytest.mark.parametrize("source", ["depth", "world"])
def test_the_pelvis_is_uncertain_along_its_ray_and_across(source: str) -> None:
    rng, misses_m, stds_m = random(), [], []
    for scene in scenes.all_scenes():
        pose = pose_of(scene, rng, world_noise_m=0.02)
        position = locate(scene, pose, observe(scene, rng), source)
        if position.source == "none":
            continue
        covariance_m2 = position.pelvis_covariance_m2
        np.testing.assert_allclose(position.pelvis_m, position.landmarks_m[[23, 24]].mean(axis=0))
        assert np.linalg.eigvalsh(covariance_m2)[0] > 0
        along = position.pelvis_m / np.linalg.norm(position.pelvis_m)
        np.testing.assert_allclose(
            covariance_m2 @ along, position.distance_std_m**2 * along, atol=1e-9
        )
        across_m2 = (np.trace(covariance_m2) - position.distance_std_m**2) / 2
        across_px = np.sqrt(across_m2) / np.linalg.norm(position.pelvis_m) * scene.camera.fx
        assert 0.01 * pose.roi.size_px < across_px < 0.02 * pose.roi.size_px
        assert 0 < position.distance_noise_m < position.distance_std_m
        distance_m = np.linalg.norm(position.pelvis_m)
        misses_m.append(abs(distance_m - np.linalg.norm(scene.mid_hip_m)))
        stds_m.append(position.distance_std_m)
    assert np.mean(np.array(misses_m) <= 2 * np.array(stds_m)) >= 0.9


def test_what_is_unknown_of_the_pelvis_is_nan() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random())
    nowhere = locate(scene, pose, None, "none")
    assert np.isnan(nowhere.pelvis_m).all()
    assert np.isnan(nowhere.pelvis_covariance_m2).all()
    assert np.isnan((nowhere.distance_std_m, nowhere.distance_noise_m)).all()
    (adult,) = PositionEstimator(PositionOptions()).estimate(Poses([pose]), scene.camera, None)
    assert np.isnan(adult.height_m)


def test_without_hips_there_is_no_pelvis() -> None:
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, random(), landmarks=25)
    visibility = np.where(np.arange(25) == 23, 0, pose.visibility)
    hidden = dataclasses.replace(pose, visibility=visibility)
    position = locate(scene, hidden, observe(scene, random()))
    assert position.source == "depth"
    assert np.isnan((*position.pelvis_m, position.distance_std_m)).all()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"position_source": "stereo"}, "'stereo'"),
        ({"depth_min_m": 2.0, "depth_max_m": 1.0}, "depth_min_m is 2.0"),
        ({"depth_min_m": 1.0, "depth_max_m": 1.0}, "depth_min_m is 1.0"),
        ({"person_height_m": 0.3}, "person_height_m is 0.3"),
    ],
)
def test_other_sources_and_limits_with_nothing_between_are_rejected(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(OptionError, match=named):
        PositionOptions(**options)


_any_float = st.floats(width=32) | st.floats(-100, 800, width=32)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 32), _any_float, _any_float), max_size=8),
    st.sampled_from([25, 33]),
    st.booleans(),
)
def test_whatever_comes_in_what_comes_out_is_honest(
    seed: int, changes: list[tuple[int, float, float]], landmarks: int, has_depth: bool
) -> None:
    rng = np.random.default_rng(seed)
    scene = scenes.all_scenes()[NEAR]
    pose = pose_of(scene, rng, landmarks=landmarks)
    pixels = pose.landmarks_px.copy()
    for index, x, y in changes:
        pixels[index % landmarks, :2] = x, y
    values: npt.NDArray[Any] = rng.integers(0, 5000, (480, 640)).astype(np.uint16)
    depth = DepthImage(values, 0.001) if has_depth else None
    changed = dataclasses.replace(
        pose, landmarks_px=pixels, visibility=rng.random(landmarks, np.float32)
    )
    check_honest(scene, changed, locate(scene, changed, depth))


# Over time


def clip(
    frames: int, speed_m_s: float = 0.0, world_noise_m: float = 0.02, person_id: int = 1
) -> tuple[list[Pose], Float64Array]:
    """Return poses of a person who stands at 3 m or walks away, and the true distances.

    Those are of the surface at the hips, as depth would show it.
    """
    start, rng = scenes.all_scenes()[2], random()
    poses, distances_m = [], []
    for frame in range(frames):
        shift_m = (0, 0, 0.5 + speed_m_s * frame * FRAME_NS / 1e9)
        joints_m = start.joints_m + shift_m
        moved = dataclasses.replace(
            start, joints_m=joints_m, pixels=start.camera.project(joints_m)
        )
        poses.append(pose_of(moved, rng, world_noise_m=world_noise_m, person_id=person_id))
        distances_m.append(surface_z(moved.mid_hip_m, 1.0))
    return poses, np.array(distances_m)


def follow(
    used: PositionEstimator, poses: list[Pose], start_ns: int = 0, is_smoothing: bool = True
) -> Float64Array:
    """Return the distance of the body in each of the poses."""
    camera, distances_m = scenes.all_scenes()[2].camera, []
    for frame, pose in enumerate(poses):
        time_ns = start_ns + frame * FRAME_NS
        one = Poses([pose], time_ns=time_ns, is_smoothing=is_smoothing)
        (position,) = used.estimate(one, camera, None)
        assert pose.world_landmarks_m is not None
        distances_m.append(np.median(position.landmarks_m[:, 2] - pose.world_landmarks_m[:, 2]))
    return np.array(distances_m)


def raw(poses: list[Pose]) -> Float64Array:
    return follow(estimator(), poses, is_smoothing=False)


def test_a_person_at_rest_is_steady() -> None:
    poses, truth_m = clip(90)
    raw_m, smooth_m = raw(poses), follow(estimator(), poses)
    print(f"standard deviation {raw_m.std() * 100:.2f} cm raw, {smooth_m.std() * 100:.2f} smooth")
    assert smooth_m[30:].std() < 0.6 * raw_m[30:].std()
    assert np.abs(smooth_m - truth_m).mean() < OF_DISTANCE * truth_m[0]


def test_a_walking_person_lags_little() -> None:
    poses, truth_m = clip(60, speed_m_s=1.2)
    lag_m = truth_m - follow(estimator(), poses)
    print(f"lag at 1.2 m/s: {lag_m[15:].mean() * 100:.1f} cm")
    assert abs(lag_m[15:].mean()) < 0.2 * 1.2  # less than 0.2 s behind


def test_options_change_without_losing_the_person() -> None:
    poses, _ = clip(40)
    used = estimator()
    follow(used, poses[:20])
    used.configure(PositionOptions(depth_max_m=5.0, person_height_m=BODY_M))
    found_m = follow(used, poses[20:], 20 * FRAME_NS)
    np.testing.assert_array_equal(found_m, follow(estimator(), poses)[20:])
    used.configure(PositionOptions(position_source="none"))
    assert np.isnan(follow(used, poses[:1])).all()


def test_each_person_has_a_filter_that_others_do_not_change() -> None:
    near, _ = clip(20)
    far, _ = clip(20, speed_m_s=3.0, person_id=2)
    used, camera, together = estimator(), scenes.all_scenes()[2].camera, []
    for frame, (one, two) in enumerate(zip(near, far, strict=True)):
        people = [one, two] if frame % 2 else [two, one]
        found = used.estimate(Poses(people, time_ns=frame * FRAME_NS), camera, None)
        together.append(found[people.index(one)].landmarks_m[0, 2])
    alone = estimator()
    for frame, (one, z_m) in enumerate(zip(near, together, strict=True)):
        (found_alone,) = alone.estimate(Poses([one], time_ns=frame * FRAME_NS), camera, None)
        assert found_alone.landmarks_m[0, 2] == z_m


def test_a_new_person_and_one_whose_smoothing_was_off_begin_with_raw_distances() -> None:
    used = estimator()
    poses, _ = clip(20, speed_m_s=3.0)
    follow(used, poses[:10])
    others, _ = clip(20, speed_m_s=3.0, person_id=2)
    assert follow(used, others[-1:], 10 * FRAME_NS) == pytest.approx(raw(others[-1:]))
    follow(used, poses[:10], 11 * FRAME_NS)
    follow(used, poses[10:11], 21 * FRAME_NS, is_smoothing=False)
    assert follow(used, poses[-1:], 22 * FRAME_NS) == pytest.approx(raw(poses[-1:]))


def held_z_m(used: PositionEstimator, pose: Pose, seen_ns: int, held_ns: int) -> float:
    """Return the distance of the first landmark of somebody held, last seen at `seen_ns`."""
    held = dataclasses.replace(pose, held_ns=held_ns, is_held=True)
    camera = scenes.all_scenes()[2].camera
    wall = DepthImage(np.full(camera.image_size[::-1], 700, np.uint16), 0.001)
    people = Poses(time_ns=seen_ns + held_ns, held=[held])
    (position,) = used.estimate(people, camera, wall)
    return float(position.landmarks_m[0, 2])


def test_a_held_person_stays_for_a_moment_then_nobody_knows() -> None:
    """What is measured there meanwhile is the distance of somebody in front."""
    used, camera = estimator(), scenes.all_scenes()[2].camera
    (pose,), _ = clip(1)
    (last,) = used.estimate(Poses([pose], time_ns=FRAME_NS), camera, None)
    for held_ns in (1, FRAME_NS, 300_000_000):
        assert held_z_m(used, pose, FRAME_NS, held_ns) == last.landmarks_m[0, 2]
    assert np.isnan(held_z_m(used, pose, FRAME_NS, 300_000_001))
    (again,) = used.estimate(Poses([pose], time_ns=20 * FRAME_NS), camera, None)
    assert np.isfinite(again.landmarks_m).all()


def test_who_is_tracked_but_not_looked_at_stays_where_the_pose_was_located() -> None:
    used, camera = estimator(), scenes.all_scenes()[2].camera
    poses, _ = clip(30)
    follow(used, poses[:10])
    (last,) = used.estimate(Poses(poses[10:11], time_ns=11 * FRAME_NS), camera, None)
    wall = DepthImage(np.full(camera.image_size[::-1], 700, np.uint16), 0.001)
    for images in range(1, 20):
        waiting = dataclasses.replace(poses[10], held_ns=images * FRAME_NS)
        people = Poses([waiting], time_ns=(11 + images) * FRAME_NS)
        (position,) = used.estimate(people, camera, wall)
        np.testing.assert_array_equal(position.landmarks_m, last.landmarks_m)
    (again,) = used.estimate(Poses(poses[29:30], time_ns=30 * FRAME_NS), camera, None)
    assert np.isfinite(again.landmarks_m).all()


def test_a_held_person_who_was_not_located_when_last_seen_is_unknown() -> None:
    used, camera = estimator(), scenes.all_scenes()[2].camera
    (pose,), _ = clip(1)
    assert np.isnan(held_z_m(used, pose, FRAME_NS, 1))
    used.estimate(Poses([pose], time_ns=FRAME_NS), camera, None)
    assert np.isnan(held_z_m(used, pose, 2 * FRAME_NS, 1))
