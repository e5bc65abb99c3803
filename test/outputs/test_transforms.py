"""Frames of people against rigid bodies whose position and axes are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import running
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from hypothesis import assume, given
from hypothesis import strategies as st
from std_msgs.msg import Header
from synthetic.angles import body_at_angles

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY, Topology
from pose_ros.body.bones import BONES, bone_ends, bone_lengths_m
from pose_ros.outputs.transforms import person_transforms, transform_points

Array = npt.NDArray[np.float64]

HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera_optical")
# A body in its own frame: x forward, y to its left, z up along the spine; m from mid-hip.
BODY_M = {
    "nose": (0.11, 0.0, 0.66),
    "left_ear": (0.0, 0.075, 0.68),
    "right_ear": (0.0, -0.075, 0.68),
    "left_shoulder": (0.0, 0.18, 0.5),
    "right_shoulder": (0.0, -0.18, 0.5),
    "left_elbow": (0.02, 0.22, 0.22),
    "right_elbow": (0.2, -0.2, 0.24),
    "left_hip": (0.0, 0.1, 0.0),
    "right_hip": (0.0, -0.1, 0.0),
}
SHOULDERS_M = np.array((0.0, 0.0, 0.5))
# Axes of a body in an optical frame (x right, y down, z forward), in columns.
FACING = np.array([(0, 1, 0), (0, 0, -1), (-1, 0, 0)], np.float64)
TURNED_AWAY = np.array([(0, -1, 0), (0, 0, -1), (1, 0, 0)], np.float64)
LYING_ON_THE_BACK = np.array([(0, 0, 1), (-1, 0, 0), (0, -1, 0)], np.float64)
HEAD_DOWN = np.array([(0, -1, 0), (0, 0, 1), (-1, 0, 0)], np.float64)

COORDINATE = st.floats(-20, 20)
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE).map(np.array)
TOPOLOGIES = pytest.mark.parametrize("topology", [UPPER_BODY, FULL_BODY], ids=("upper", "full"))


@st.composite
def rotations(draw: st.DrawFn) -> Array:
    """Rotation matrices by Rodrigues' formula, half turns among them."""
    axis = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 3)))
    length = np.linalg.norm(axis)
    assume(length > 1e-3)
    x, y, z = axis / length
    angle = draw(st.one_of(st.floats(-math.pi, math.pi), st.just(math.pi)))
    skew = np.array([(0, -z, y), (z, 0, -x), (-y, x, 0)])
    matrix: Array = np.eye(3) + math.sin(angle) * skew + (1 - math.cos(angle)) * skew @ skew
    return matrix


def landmarks(
    axes: Array, origin_m: Any, topology: Topology = UPPER_BODY, without: str = "none"
) -> Array:
    """The body's landmarks (N, 3) in the camera's frame; NaN where the body says nothing."""
    unknown = (math.nan,) * 3
    body_m = np.array(
        [unknown if without in name else BODY_M.get(name, unknown) for name in topology.names]
    )
    placed: Array = body_m @ axes.T + origin_m
    return placed


def frames(
    points_m: Array,
    topology: Topology = UPPER_BODY,
    visibility: npt.ArrayLike | None = None,
    with_landmarks: bool = False,
    min_visibility: float = 0.5,
) -> dict[str, TransformStamped]:
    if visibility is None:
        visibility = np.ones(len(topology))
    made = person_transforms(
        HEADER, "front/person_7", points_m, visibility, topology, min_visibility, with_landmarks
    )
    assert all(transform.header == HEADER for transform in made)
    by_child = {transform.child_frame_id: transform for transform in made}
    assert len(by_child) == len(made)
    assert np.isfinite([numbers(transform) for transform in made]).all()
    return by_child


def numbers(transform: TransformStamped) -> list[float]:
    shift, turn = transform.transform.translation, transform.transform.rotation
    return [shift.x, shift.y, shift.z, turn.x, turn.y, turn.z, turn.w]


def matrix_of(transform: TransformStamped) -> Array:
    """The rotation matrix by the textbook's formula; the quaternion must be a unit one."""
    x, y, z, w = numbers(transform)[3:]
    assert x * x + y * y + z * z + w * w == pytest.approx(1, abs=1e-12)
    return np.array(
        [
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        ]
    )


def origin_of(transform: TransformStamped) -> list[float]:
    return numbers(transform)[:3]


# The person


@TOPOLOGIES
@given(rotations(), POINT)
def test_frame_is_that_of_the_body(topology: Topology, axes: Array, origin_m: Array) -> None:
    person = frames(landmarks(axes, origin_m, topology), topology)["front/person_7"]
    np.testing.assert_allclose(origin_of(person), origin_m, atol=1e-9)
    np.testing.assert_allclose(matrix_of(person), axes, atol=1e-9)


@given(rotations(), POINT)
def test_without_hips_the_frame_sits_between_the_shoulders(axes: Array, origin_m: Array) -> None:
    person = frames(landmarks(axes, origin_m, without="hip"))["front/person_7"]
    np.testing.assert_allclose(origin_of(person), axes @ SHOULDERS_M + origin_m, atol=1e-9)
    np.testing.assert_allclose(matrix_of(person), axes, atol=1e-9)


@pytest.mark.parametrize(
    ("axes", "forward", "left", "up"),
    [
        (FACING, (0, 0, -1), (1, 0, 0), (0, -1, 0)),
        (TURNED_AWAY, (0, 0, 1), (-1, 0, 0), (0, -1, 0)),
        (LYING_ON_THE_BACK, (0, -1, 0), (0, 0, -1), (1, 0, 0)),
        (HEAD_DOWN, (0, 0, -1), (-1, 0, 0), (0, 1, 0)),
    ],
    ids=("facing", "turned_away", "lying", "head_down"),
)
def test_axes_of_familiar_positions(axes: Array, forward: Any, left: Any, up: Any) -> None:
    turn = matrix_of(frames(landmarks(axes, (0.3, -0.2, 2.5)))["front/person_7"])
    np.testing.assert_allclose(turn.T, (forward, left, up), atol=1e-9)


def test_left_of_somebody_who_faces_the_camera_is_right_in_the_image() -> None:
    points_m = landmarks(FACING, (0, 0, 2))
    left, right = (UPPER_BODY.names.index(f"{side}_shoulder") for side in ("left", "right"))
    assert points_m[left, 0] > 0 > points_m[right, 0]
    person = frames(points_m)["front/person_7"]
    beside_m = transform_points([(0, 1, 0)], person)[0]
    assert beside_m[0] == pytest.approx(1)
    towards_m = transform_points([(1, 0, 0)], person)[0]
    assert towards_m[2] == pytest.approx(1), "a step forward is a step towards the camera"


@given(st.floats(-40, 40), st.floats(-60, 60))
def test_leaning_and_shrugging_keep_the_spine_up_and_the_chest_forward(
    shrug_deg: float, twist_deg: float
) -> None:
    """Shoulders turned about the spine turn the front; shoulders out of level do not."""
    points_m = landmarks(np.eye(3), (0, 0, 0))
    shrug, twist = math.radians(shrug_deg), math.radians(twist_deg)
    for side, sign in (("left", 1), ("right", -1)):
        across = np.array((-math.sin(twist), math.cos(twist), math.tan(shrug)))
        points_m[UPPER_BODY.names.index(f"{side}_shoulder")] = SHOULDERS_M + sign * 0.18 * across
    turn = matrix_of(frames(points_m)["front/person_7"])
    np.testing.assert_allclose(turn[:, 2], (0, 0, 1), atol=1e-9)
    np.testing.assert_allclose(turn[:, 0], (math.cos(twist), math.sin(twist), 0), atol=1e-9)


@pytest.mark.parametrize("without", ["shoulder", "left_shoulder", "right_shoulder"])
def test_no_frame_without_both_shoulders(without: str) -> None:
    assert frames(landmarks(FACING, (0, 0, 2), without=without)) == {}


def test_no_frame_without_hips_and_ears() -> None:
    points_m = landmarks(FACING, (0, 0, 2), without="hip")
    points_m[UPPER_BODY.names.index("left_ear")] = np.nan
    assert frames(points_m) == {}


@pytest.mark.parametrize("where", ["one point", "along the spine", "nearly along the spine"])
def test_no_frame_where_nothing_is_in_front(where: str) -> None:
    points_m = landmarks(FACING, (0, 0, 2))
    spine = {"one point": 0.0}.get(where, 0.2)
    aside = 0.02 if where.startswith("nearly") else 0.0
    for side, sign in (("left", 1), ("right", -1)):
        point = FACING @ (0.0, sign * aside, 0.5 + sign * spine) + (0, 0, 2)
        points_m[UPPER_BODY.names.index(f"{side}_shoulder")] = point
    assert frames(points_m) == {}


def test_nobody_known_has_no_frame() -> None:
    unknown = np.full((len(FULL_BODY), 3), np.nan)
    assert frames(unknown, FULL_BODY, with_landmarks=True) == {}


@given(st.data())
def test_nothing_unknown_is_published(data: st.DataObject) -> None:
    """NaN and infinity anywhere: `frames` asserts that all that comes out is finite."""
    bad = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e30, -1e-30])
    points_m = landmarks(FACING, (0, 0, 2))
    for _ in range(data.draw(st.integers(0, 12))):
        row = data.draw(st.integers(0, len(points_m) - 1))
        points_m[row, data.draw(st.integers(0, 2))] = data.draw(bad)
    visibility = np.ones(len(points_m))
    visibility[data.draw(st.integers(0, len(points_m) - 1))] = data.draw(
        st.sampled_from([math.nan, 0.0, 1.0])
    )
    made = frames(points_m, visibility=visibility, with_landmarks=True)
    is_known = np.isfinite(points_m).all(axis=1) & (visibility >= 0.5)
    known = {name for name, known in zip(UPPER_BODY.names, is_known, strict=True) if known}
    assert made.keys() - {"front/person_7"} == {f"front/person_7/{name}" for name in known}


def test_invisible_hips_count_as_unknown() -> None:
    visibility = np.ones(len(UPPER_BODY))
    visibility[UPPER_BODY.names.index("left_hip")] = 0.49
    points_m = landmarks(FACING, (0, 0, 2))
    person = frames(points_m, visibility=visibility)["front/person_7"]
    np.testing.assert_allclose(origin_of(person), (0, -0.5, 2), atol=1e-12)
    person = frames(points_m, visibility=visibility, min_visibility=0.49)["front/person_7"]
    np.testing.assert_allclose(origin_of(person), (0, 0, 2), atol=1e-12)


def test_input_is_left_as_it_was() -> None:
    points_m, visibility = landmarks(FACING, (0, 0, 2)), np.zeros(len(UPPER_BODY))
    before = points_m.copy()
    frames(points_m, visibility=visibility)
    np.testing.assert_array_equal(points_m, before)


# Landmarks


@TOPOLOGIES
def test_each_known_landmark_has_a_frame_if_asked_for(topology: Topology) -> None:
    points_m = landmarks(FACING, (0.1, 0, 2), topology)
    assert frames(points_m, topology).keys() == {"front/person_7"}
    made = frames(points_m, topology, with_landmarks=True)
    assert made.keys() == {"front/person_7", *(f"front/person_7/{name}" for name in BODY_M)}
    for name in BODY_M:
        row = points_m[topology.names.index(name)]
        assert numbers(made[f"front/person_7/{name}"]) == [*row, 0, 0, 0, 1]


def test_landmarks_have_frames_even_where_the_person_has_none() -> None:
    made = frames(landmarks(FACING, (0, 0, 2), without="shoulder"), with_landmarks=True)
    assert "front/person_7" not in made
    assert "front/person_7/left_hip" in made


def test_landmarks_of_too_little_visibility_have_no_frame() -> None:
    visibility = np.ones(len(UPPER_BODY))
    visibility[UPPER_BODY.names.index("nose")] = 0.4
    made = frames(landmarks(FACING, (0, 0, 2)), visibility=visibility, with_landmarks=True)
    assert "front/person_7/nose" not in made
    assert "front/person_7/left_ear" in made


# Bones


def bones(
    points_m: Array, visibility: npt.ArrayLike | None = None, min_visibility: float = 0.5
) -> dict[str, TransformStamped]:
    """The frames of the bones of a body with 33 landmarks, by name."""
    visibility = np.ones(len(points_m)) if visibility is None else visibility
    topology = FULL_BODY if len(points_m) == len(FULL_BODY) else UPPER_BODY
    name = "front/person_7"
    known = (HEADER, name, points_m, visibility, topology, min_visibility)
    made = person_transforms(*known, with_bones=True)[1:]  # the first one is the person's
    assert all(transform.header == HEADER for transform in made)
    assert all(transform.child_frame_id.startswith(f"{name}/") for transform in made)
    found = {transform.child_frame_id.removeprefix(f"{name}/"): transform for transform in made}
    assert len(found) == len(made)
    return found


def test_each_bone_leads_along_x_of_its_frame_from_one_landmark_to_the_other() -> None:
    bent = body_at_angles({"left_elbow_flexion": 80, "right_hip_flexion": 60})
    points_m = bent @ FACING.T + (0, 0, 3)
    made = bones(points_m)
    assert made.keys() == {bone.name for bone in BONES}
    for bone, length_m in zip(BONES, bone_lengths_m(points_m).values(), strict=True):
        start_m, end_m = bone_ends(points_m)[BONES.index(bone)]
        frame = made[bone.name]
        assert origin_of(frame) == pytest.approx(start_m.tolist())
        tip_m = matrix_of(frame) @ (length_m, 0, 0) + start_m
        np.testing.assert_allclose(tip_m, end_m, atol=1e-9)


def test_a_bone_with_a_landmark_of_too_little_visibility_has_no_frame() -> None:
    visibility = np.ones(33)
    visibility[FULL_BODY.names.index("left_wrist")] = 0.4
    hidden = {"left_forearm", "left_hand"}
    assert {b.name for b in BONES} - bones(body_at_angles() + 1.0, visibility).keys() == hidden
    assert bones(body_at_angles() + 1.0, visibility, min_visibility=0.3).keys() >= hidden


def test_of_25_landmarks_the_arms_have_frames() -> None:
    made = bones((body_at_angles() + 1.0)[: len(UPPER_BODY)])
    legs = ("thigh", "shank", "foot")
    assert made.keys() == {bone.name for bone in BONES if not bone.name.endswith(legs)}


def test_somebody_without_a_frame_has_none_of_bones() -> None:
    assert bones(np.full((33, 3), np.nan)) == {}


# Points in another frame


def transform_of(turn: Quaternion, shift_m: npt.ArrayLike) -> TransformStamped:
    x, y, z = np.asarray(shift_m, np.float64).tolist()
    return TransformStamped(
        header=Header(frame_id="map"),
        child_frame_id=HEADER.frame_id,
        transform=Transform(translation=Vector3(x=x, y=y, z=z), rotation=turn),
    )


@given(rotations(), POINT, st.lists(POINT, max_size=5))
def test_points_are_turned_and_shifted(axes: Array, shift_m: Array, points: list[Array]) -> None:
    points_m = np.array(points).reshape(-1, 3)
    turn = frames(landmarks(axes, (0, 0, 0)))["front/person_7"].transform.rotation
    moved_m = transform_points(points_m, transform_of(turn, shift_m))
    np.testing.assert_allclose(moved_m, points_m @ axes.T + shift_m, atol=1e-8)


def test_a_camera_on_a_robot_looks_forward() -> None:
    """Optical (x right, y down, z forward) to REP 103 (x forward, y left, z up), 1 m up."""
    turn = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
    moved_m = transform_points([(0.1, 0.2, 3.0)], transform_of(turn, (0, 0, 1)))
    np.testing.assert_allclose(moved_m, [(3.0, -0.1, 0.8)], atol=1e-12)


def test_unknown_points_stay_unknown() -> None:
    turn = Quaternion(x=0.0, y=0.0, z=1.0, w=0.0)
    points_m = [(math.nan,) * 3, (1.0, 2.0, 3.0)]
    moved_m = transform_points(points_m, transform_of(turn, (0, 0, 1)))
    np.testing.assert_array_equal(np.isnan(moved_m), [[True] * 3, [False] * 3])
    np.testing.assert_allclose(moved_m[1], (-1, -2, 4), atol=1e-12)


def test_frame_of_the_person_moves_the_body_back_to_the_camera() -> None:
    person = frames(landmarks(FACING, (0.3, 0.1, 2)))["front/person_7"]
    body_m = list(BODY_M.values())
    seen_m = [landmarks(FACING, (0.3, 0.1, 2))[UPPER_BODY.names.index(name)] for name in BODY_M]
    np.testing.assert_allclose(transform_points(body_m, person), seen_m, atol=1e-12)


def test_chest_of_a_real_person_at_a_desk_faces_the_camera() -> None:
    """In a real picture, with the hips (guessed by the model, under the desk) and without."""
    (picture,) = running.person()
    (pose,) = PoseTracker(PoseTrackerOptions(model="lite")).track(picture, 1)
    assert pose.world_landmarks_m is not None
    points_m = np.array(pose.world_landmarks_m, np.float64)
    angles_deg = []
    for min_visibility in (0.0, 0.5):
        made = frames(points_m, FULL_BODY, pose.visibility, min_visibility=min_visibility)
        turn = matrix_of(made["front/person_7"])
        cosines = np.sum(turn * FACING, axis=0)
        angles_deg.append(np.degrees(np.arccos(cosines)))
    assert np.max(angles_deg) < 20
    assert made["front/person_7"].transform.translation.y < -0.3, (
        "between the shoulders, not the hips"
    )
