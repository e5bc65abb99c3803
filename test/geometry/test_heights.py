"""The height of a person: what is assumed, given, taught by depth and shown by the floor."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from synthetic import scenes
from synthetic.scenes import Scene, observe, pose_of

from pose_ros.blazepose.datatypes import Float64Array, Pose, Poses
from pose_ros.blazepose.errors import OptionError
from pose_ros.geometry.body_origin import surface_z
from pose_ros.geometry.floor import Floor
from pose_ros.geometry.heights import ADULT, ADULT_M, NO_HEIGHTS, Height, Samples, combined
from pose_ros.geometry.located import Position
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator

SECOND_NS = 10**9
# The scenes' camera looks down by 8 degrees onto people whose soles are so far below their hips.
TILT_DEG, SOLE_M = 8.0, 0.90
# Scenes of the pinhole camera: standing and walking, from 4 m away, so the feet are in the image.
STANDING, WALKING = 3, 15


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def pinhole(number: int) -> Scene:
    """One of the scenes of the pinhole camera."""
    camera = scenes.CAMERAS["pinhole"]
    return [scene for scene in scenes.all_scenes() if scene.camera is camera][number]


def floor_below(scene: Scene) -> Floor:
    """The floor that a person of a scene stands on."""
    tilt = np.radians(TILT_DEG)
    up = np.array((0.0, -np.cos(tilt), -np.sin(tilt)))
    ankle_m = scene.joints_m[[27, 28]]
    return Floor(up, float((-ankle_m @ up).max()) + 0.07)


def taller(scene: Scene, factor: float) -> Scene:
    """A person so many times as tall, so many times as far away: the image is the same."""
    return dataclasses.replace(scene, joints_m=scene.joints_m * factor, z_m=scene.z_m * factor)


def truth_m(scene: Scene) -> float:
    return surface_z(scene.mid_hip_m, 1.0)


def z_m(position: Position) -> float:
    return float(position.pelvis_m[2])


def at(
    used: PositionEstimator,
    scene: Scene,
    image: int = 1,
    person_id: int = 1,
    with_depth: bool = False,
    floor: Floor | None = None,
) -> Position:
    pose = pose_of(scene, random(), world_scale=0.9, person_id=person_id)
    depth = observe(scene, random()) if with_depth else None
    poses = Poses([pose], time_ns=image * SECOND_NS, is_smoothing=False)
    (position,) = used.estimate(poses, scene.camera, depth, floor)
    return position


# The estimates


def test_a_mean_lies_nearer_to_the_surer_estimate_and_is_surer_than_both() -> None:
    mean = combined([Height(1.6, 0.02), Height(1.9, 0.04)])
    assert mean.height_m == pytest.approx(1.66)
    assert mean.std < 0.02


def test_of_somebody_unknown_it_is_an_adults() -> None:
    assert NO_HEIGHTS.estimate(0.0) == (ADULT, False)
    height, is_known = NO_HEIGHTS.estimate(1.9)
    assert is_known
    assert height.height_m == pytest.approx(1.9)
    assert height.std < ADULT.std


def test_samples_are_some_a_second_and_the_oldest_are_forgotten() -> None:
    samples = Samples()
    for number in range(100):
        time_ns = number * SECOND_NS // 5
        assert samples.is_due(time_ns)
        samples = samples.add(Height(1.6 if number < 80 else 1.8, 0.03), time_ns)
        assert not samples.is_due(time_ns + SECOND_NS // 30)
    assert samples.middle == Height(1.8, 0.03)
    assert len(samples.heights) == 31


@pytest.mark.parametrize("height_m", [0.3, 3.0, math.nan, math.inf])
def test_what_nobody_can_be_is_no_sample(height_m: float) -> None:
    assert Samples().add(Height(height_m, 0.03), 1) == Samples()


def test_jumps_do_not_change_the_height() -> None:
    samples = Samples()
    for number in range(31):
        is_jumping = number % 5 < 2
        height = Height(2.2 if is_jumping else 1.75, 0.05)
        samples = samples.add(height, number * SECOND_NS)
    assert samples.middle is not None
    assert samples.middle.height_m == 1.75


def known(by_depth_m: float = 0.0, by_floor_m: float = 0.0, given_m: float = 0.0) -> float:
    used = NO_HEIGHTS
    if by_depth_m:
        used = dataclasses.replace(used, by_depth=Samples().add(Height(by_depth_m, 0.03), 1))
    if by_floor_m:
        used = dataclasses.replace(used, by_floor=Samples().add(Height(by_floor_m, 0.06), 1))
    height, is_known = used.estimate(given_m)
    assert is_known
    return height.height_m


def test_sources_that_agree_are_weighted() -> None:
    assert 1.75 < known(by_depth_m=1.8) < 1.8
    assert 1.75 < known(by_floor_m=1.8) < known(by_depth_m=1.8)
    assert 1.78 < known(by_depth_m=1.8, by_floor_m=1.85) < 1.8


def test_a_better_source_overrules_those_that_do_not_agree() -> None:
    assert known(by_depth_m=1.1) == pytest.approx(1.1)  # a child
    assert known(by_floor_m=1.1) == pytest.approx(1.1)
    assert known(by_depth_m=1.8, by_floor_m=1.2) < 1.8  # the adult's weight remains
    assert known(by_depth_m=1.8, by_floor_m=1.2) == known(by_depth_m=1.8)
    assert known(given_m=1.8, by_floor_m=1.2) == pytest.approx(1.8)


# Taught by depth


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.15])
def test_what_depth_shows_is_remembered_while_the_person_is_there(factor: float) -> None:
    used = PositionEstimator(PositionOptions())
    scene = taller(pinhole(2), factor)
    shown = at(used, scene, with_depth=True)
    later = at(used, scene, image=2)
    assert (shown.source, later.source) == ("depth", "world")
    assert z_m(later) == pytest.approx(z_m(shown), rel=0.03)
    assert later.height_m == pytest.approx(shown.height_m)
    assert shown.distance_std_m < later.distance_std_m < 0.05 * z_m(later)
    other = at(used, scene, image=3, person_id=2)
    assert np.isnan(other.height_m)
    assert other.distance_std_m > later.distance_std_m


def test_who_is_held_for_a_moment_stays_as_tall() -> None:
    used, scene = PositionEstimator(PositionOptions()), taller(pinhole(2), 0.7)
    shown = at(used, scene, with_depth=True)
    lost = dataclasses.replace(pose_of(scene, random()), held_ns=SECOND_NS)
    used.estimate(Poses(time_ns=2 * SECOND_NS, held=[lost]), scene.camera, None)
    assert at(used, scene, image=3).height_m == pytest.approx(shown.height_m)
    used.estimate(Poses(time_ns=4 * SECOND_NS), scene.camera, None)
    assert np.isnan(at(used, scene, image=5).height_m)


# By the floor


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.08])
@pytest.mark.parametrize("number", [STANDING, WALKING], ids=["standing", "walking"])
def test_feet_on_the_floor_show_the_distance(number: int, factor: float) -> None:
    person = taller(pinhole(number), factor)
    position = at(PositionEstimator(PositionOptions()), person, floor=floor_below(person))
    assert position.height_m > 0
    assert z_m(position) == pytest.approx(truth_m(person), rel=0.04)
    assert position.distance_std_m < 0.07 * z_m(position)


def test_feet_that_are_hidden_later_leave_the_height_until_there_is_another_floor() -> None:
    used, person = PositionEstimator(PositionOptions()), taller(pinhole(STANDING), 0.7)
    shown = at(used, person, floor=floor_below(person))
    assert at(used, person, image=2).height_m == pytest.approx(shown.height_m)
    used.forget_floor()
    assert np.isnan(at(used, person, image=3).height_m)


def level(scene: Scene) -> Scene:
    """The person as a level camera sees them."""
    tilt = np.radians(-TILT_DEG)
    turn = np.array(((1, 0, 0), (0, np.cos(tilt), -np.sin(tilt)), (0, np.sin(tilt), np.cos(tilt))))
    middle_m = scene.mid_hip_m
    joints_m: Float64Array = (scene.joints_m - middle_m) @ turn.T + middle_m
    return dataclasses.replace(scene, joints_m=joints_m, pixels=scene.camera.project(joints_m))


def test_the_height_of_a_level_camera_gives_it_too_but_less_surely() -> None:
    person = taller(level(pinhole(STANDING)), 0.93)
    height_m = float(person.joints_m[[27, 28], 1].max()) + 0.07
    options = PositionOptions(camera_height_m=height_m)
    position = at(PositionEstimator(options), person)
    assert abs(z_m(position) - truth_m(person)) < position.distance_std_m
    assert abs(z_m(at(PositionEstimator(PositionOptions()), person)) - truth_m(person)) > abs(
        z_m(position) - truth_m(person)
    )
    floor = Floor(np.array((0.0, -1.0, 0.0)), height_m)
    surer = at(PositionEstimator(PositionOptions()), person, floor=floor)
    assert surer.distance_std_m < position.distance_std_m
    overruled = at(PositionEstimator(options), person, floor=floor)
    assert overruled.distance_std_m == surer.distance_std_m


def test_who_is_seen_in_part_is_less_sure() -> None:
    scene, stds = pinhole(STANDING), []
    for unseen in ((), ("left_knee",), ("left_knee", "right_knee"), ("left_hip", "right_hip")):
        pose = changed(scene, **dict.fromkeys(unseen, (300.0, 500.0)))
        (position,) = PositionEstimator(PositionOptions()).estimate(
            Poses([pose]), scene.camera, None
        )
        stds.append(position.distance_std_m / float(np.linalg.norm(position.pelvis_m)))
    whole, one_leg, no_legs, no_hips = stds
    assert whole == pytest.approx(one_leg)
    assert one_leg < no_legs < no_hips < 0.2


def changed(scene: Scene, **points: tuple[float, float]) -> Pose:
    pose = pose_of(scene, random())
    pixels = pose.landmarks_px.copy()
    for name, point in points.items():
        pixels[scenes.NAMES.index(name), :2] = point
    return dataclasses.replace(pose, landmarks_px=pixels)


def is_shown(pose: Pose, scene: Scene, floor: Floor) -> bool:
    (position,) = PositionEstimator(PositionOptions()).estimate(
        Poses([pose]), scene.camera, None, floor
    )
    assert np.isfinite(position.pelvis_m).all()
    return math.isfinite(position.height_m)


def test_feet_that_are_not_seen_show_nothing() -> None:
    scene, floor = pinhole(STANDING), floor_below(pinhole(STANDING))
    assert is_shown(pose_of(scene, random()), scene, floor)
    assert not is_shown(changed(scene, left_ankle=(300, 479)), scene, floor)
    assert not is_shown(changed(scene, right_ankle=(700, 400)), scene, floor)
    hidden = scene.visibility.copy()
    hidden[27] = 0.3
    assert not is_shown(
        pose_of(dataclasses.replace(scene, visibility=hidden), random()), scene, floor
    )


def test_feet_above_the_camera_and_people_who_lie_show_nothing() -> None:
    scene = pinhole(STANDING)
    up = floor_below(scene).normal
    assert not is_shown(pose_of(scene, random()), scene, Floor(-up, 1.0))
    assert not is_shown(pose_of(scene, random()), scene, Floor(np.array((1.0, 0, 0)), 1.0))


@pytest.mark.parametrize("height_m", [-0.1, 21.0])
def test_a_camera_is_above_the_floor_and_not_on_a_tower(height_m: float) -> None:
    with pytest.raises(OptionError, match=str(height_m)):
        PositionOptions(camera_height_m=height_m)


def test_an_adult_is_of_the_middle_size() -> None:
    assert pytest.approx(1.7) == ADULT_M
    assert 0.05 < ADULT.std < 0.1
