"""Motions of the people of frames, and the cloud of people that is made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from outputs.test_messages import HEADER, frame, pose
from pose_ros.blazepose.datatypes import Poses
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.client import PERSON_DTYPE, People, people_from_msg
from pose_ros.geometry.located import Position
from pose_ros.outputs.clouds import people
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.motions import Motions

FRAME_NS = 33_333_333
FLOATS = (
    *("x", "y", "z", "vx", "vy", "vz", "sx", "sy", "sz", "svx", "svy", "svz"),
    *("hx", "hy", "hz", "u", "v", "size_px", "height_m", "score"),
)
NOISE_M, STD_M = 0.03, 0.3


def body(person_id: int = 1, held_ns: int = 0, **fields: Any) -> Any:
    """The pose of somebody who faces the camera."""
    world_m = np.zeros((33, 3), np.float32)
    for name, point in (("shoulder", (0.18, -0.5, 0)), ("hip", (0.12, 0, 0))):
        world_m[FULL_BODY.names.index(f"left_{name}")] = point
        world_m[FULL_BODY.names.index(f"right_{name}")] = np.array(point) * (-1, 1, 1)
    fields = {"visibility": np.ones(33), "world_landmarks_m": world_m} | fields
    return pose(person_id, 33, held_ns=held_ns, **fields)


def at(pelvis_m: Sequence[float], source: str = "world") -> Position:
    """A position on the camera's axis or beside it, whose distance is uncertain."""
    ray = np.array(pelvis_m) / np.linalg.norm(pelvis_m)
    covariance_m2 = 0.01**2 * np.eye(3) + (STD_M**2 - 0.01**2) * np.outer(ray, ray)
    landmarks_m = np.tile(np.asarray(pelvis_m, np.float32), (33, 1))
    return Position(
        landmarks_m, source, np.array(pelvis_m), covariance_m2, STD_M, NOISE_M, height_m=1.7
    )


def shown(number: int, *persons: Person, held: Sequence[Any] = (), **fields: Any) -> Frame:
    """The frame of a number."""
    poses = Poses(
        (person.pose for person in persons if person.pose.held_ns == 0),
        time_ns=(1 + number) * FRAME_NS,
        held=held,
        has_jumped=fields.pop("has_jumped", False),
    )
    found = frame(*persons, **{"topology": FULL_BODY, **fields})
    return dataclasses.replace(found, poses=poses, is_located=True)


def walking(motions: Motions, frames: int = 60, first: int = 0, **fields: Any) -> Frame:
    """Somebody walks to the right at 1 m/s, 3 m in front of the camera."""
    for number in range(first, first + frames):
        pelvis_m = (number * FRAME_NS * 1e-9 - 2.0, 0.0, 3.0)
        done = motions.apply(shown(number, Person(body(), at(pelvis_m)), **fields))
    return done


def map_from_camera() -> TransformStamped:
    """A camera that looks along the map's x axis, 10 m from its origin."""
    turn = TransformStamped(header=Header(frame_id="map"), child_frame_id="camera_optical")
    turn.transform.translation.x = 10.0
    rotation = turn.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = -0.5, 0.5, -0.5, 0.5
    return turn


def read(done: Frame) -> People:
    received: PointCloud2 = deserialize_message(serialize_message(people(done)), PointCloud2)
    return people_from_msg(received)


def close(found: Any, expected: Any, atol: float = 0.05) -> None:
    np.testing.assert_allclose(found, expected, atol=atol)


def test_the_cloud_has_the_documented_layout() -> None:
    msg = people(walking(Motions(), 2))
    expected = [(name, 4 * index, PointField.FLOAT32) for index, name in enumerate(FLOATS)]
    expected += [("person_id", 80, PointField.UINT32), ("age_s", 84, PointField.FLOAT32)]
    expected += [("state", 88, PointField.UINT8), ("is_target", 89, PointField.UINT8)]
    expected += [("held_ms", 90, PointField.UINT16)]
    assert [(field.name, field.offset, field.datatype) for field in msg.fields] == expected
    assert {field.count for field in msg.fields} == {1}
    assert (msg.height, msg.width, msg.point_step, msg.row_step) == (1, 1, 92, 92)
    assert msg.header == HEADER
    assert not msg.is_dense
    assert not msg.is_bigendian
    assert PERSON_DTYPE.itemsize == 92


def test_somebody_who_walks_has_position_velocity_and_heading() -> None:
    found = read(walking(Motions()))
    close(found.xyz[0], (59 * FRAME_NS * 1e-9 - 2, 0, 3))
    close(found.velocity[0], (1, 0, 0))
    close(found.heading[0], (0, 0, -1))
    close(found.points["height_m"], [1.7])
    close(found.points["score"], [0.9])
    assert found.person_id.tolist() == [1]
    assert found.points["state"].tolist() == [2]
    assert found.is_target.tolist() == [False]
    close(found.center[0], (20, 30))
    close(found.points["size_px"], [40])
    # the whole deviation of the distance, though the filter averages the noise of it
    assert found.xyz_std[0, 2] == pytest.approx(STD_M, abs=0.01)
    assert found.xyz_std[0, 1] < 0.02
    assert 0.02 < found.velocity_std[0, 0] < 0.3


def test_all_is_given_in_the_target_frame() -> None:
    fields = {"transform": map_from_camera(), "target_frame": "map"}
    done = walking(Motions(), **fields)
    found = read(done)
    assert people(done).header.frame_id == "map"
    close(found.xyz[0], (13, 2 - 59 * FRAME_NS * 1e-9, 0))
    close(found.velocity[0], (0, -1, 0))
    close(found.heading[0], (-1, 0, 0))
    assert found.xyz_std[0, 0] == pytest.approx(STD_M, abs=0.01)
    assert found.xyz_std[0, 2] < 0.02


def test_velocity_is_relative_to_the_target_frame_while_the_camera_moves() -> None:
    """The robot drives beside somebody at their speed: at rest for the camera only."""
    motions = Motions()
    for number in range(60):
        transform = map_from_camera()
        transform.transform.translation.y = -number * FRAME_NS * 1e-9
        fields = {"transform": transform, "target_frame": "map"}
        done = motions.apply(shown(number, Person(body(), at((0.5, 0, 3.0))), **fields))
    close(read(done).velocity[0], (0, -1, 0))


def test_without_the_transform_all_of_it_is_unknown_and_goes_on_soon_after() -> None:
    motions = Motions()
    fields = {"transform": map_from_camera(), "target_frame": "map"}
    walking(motions, 60, **fields)
    found = read(walking(motions, 5, first=60, target_frame="map"))
    for vector in (found.xyz, found.velocity, found.xyz_std, found.velocity_std, found.heading):
        assert np.isnan(vector).all()
    close(read(walking(motions, 1, first=65, **fields)).velocity[0], (0, -1, 0))


def test_another_target_frame_starts_anew() -> None:
    motions = Motions()
    walking(motions)
    done = walking(motions, 1, first=60, transform=map_from_camera(), target_frame="map")
    close(read(done).velocity[0], (0, 0, 0))
    assert (read(done).velocity_std[0] > 0.9).all()


@pytest.mark.parametrize("first", [0, 60])
def test_a_jump_of_time_starts_anew(first: int) -> None:
    motions = Motions()
    walking(motions)
    done = walking(motions, 1, first=first, has_jumped=True)
    assert (read(done).velocity_std[0] > 0.9).all()


@pytest.mark.parametrize(("is_held", "state"), [(True, 3), (False, 2)])
def test_who_is_not_seen_is_where_they_should_be_by_now(is_held: bool, state: int) -> None:
    """Their positions are those of the last image in which they were seen."""
    motions = Motions()
    last = walking(motions).people[0]
    for number in range(60, 75):
        held = body(held_ns=(number - 59) * FRAME_NS, is_held=is_held)
        person = Person(held, last.position)
        done = motions.apply(shown(number, person, held=[held], publish_held=True))
    found = read(done)
    close(found.xyz[0], (74 * FRAME_NS * 1e-9 - 2, 0, 3))
    close(found.velocity[0], (1, 0, 0))
    assert found.xyz_std[0, 0] > 0.05
    assert found.points["state"].tolist() == [state]
    assert found.points["held_ms"].tolist() == [500]


def test_who_is_not_located_has_no_position_but_a_region() -> None:
    nowhere = Position(np.full((33, 3), np.nan), "none")
    found = read(Motions().apply(shown(0, Person(body(visibility=np.zeros(33)), nowhere))))
    for vector in (found.xyz, found.velocity, found.xyz_std, found.velocity_std, found.heading):
        assert np.isnan(vector).all()
    assert np.isnan(found.points["height_m"]).all()
    close(found.center[0], (20, 30))


def test_two_people_have_a_point_each_and_nobody_none() -> None:
    motions = Motions()
    for number in range(30):
        step_m = number * FRAME_NS * 1e-9
        two = (Person(body(3), at((step_m, 0, 3))), Person(body(7), at((0, 0, 4 - step_m))))
        done = motions.apply(shown(number, *two))
    found = read(done)
    assert found.person_id.tolist() == [3, 7]
    close(found.velocity, [(1, 0, 0), (0, 0, -1)], 0.2)
    nobody = people(motions.apply(shown(30)))
    assert (nobody.height, nobody.width, nobody.row_step, len(nobody.data)) == (1, 0, 0, 0)
    assert len(people_from_msg(nobody).points) == 0


def test_ages_are_those_of_the_people() -> None:
    old = dataclasses.replace(Person(body(), at((0, 0, 3))), age_ns=2_500_000_000)
    assert read(Motions().apply(shown(0, old))).points["age_s"].tolist() == [2.5]
