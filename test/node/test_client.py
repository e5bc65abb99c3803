"""Reading the landmark topics: views of the data, and clear refusals."""

from __future__ import annotations

import array
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header, String

from pose_ros.blazepose.datatypes import ImageSize, Pose, Poses, Roi
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY, Topology
from pose_ros.client import (
    LANDMARK_DTYPE,
    PERSON_DTYPE,
    landmarks_from_msg,
    names_from_msg,
    people_from_msg,
)
from pose_ros.geometry.camera import Camera
from pose_ros.outputs.clouds import landmarks
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.layout import cloud_fields
from pose_ros.outputs.messages import landmark_names
from pose_ros.outputs.options import OutputOptions

ROOT = Path(__file__).resolve().parents[2]
ROI = Roi(np.array((10.0, 10.0)), 20.0, 0.0)


def cloud(people: int = 2, names: int = 3) -> PointCloud2:
    """A cloud whose bytes all differ from their neighbours."""
    points = np.zeros((people, names), LANDMARK_DTYPE)
    for number, name in enumerate(LANDMARK_DTYPE.names or ()):
        points[name] = np.arange(people * names).reshape(people, names) + 10 * number
    points["person_id"] = np.arange(7, 7 + people)[:, None]
    points["held_ms"] = np.arange(300, 300 + people)[:, None]
    return PointCloud2(
        height=people,
        width=names,
        fields=cloud_fields(LANDMARK_DTYPE),
        point_step=52,
        row_step=52 * names,
        data=array.array("B", points.tobytes()),
    )


def arrays(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return st_numpy.arrays(np.float32, shape, elements=st.floats(width=32))


@st.composite
def poses(draw: st.DrawFn, count: int) -> Pose:
    return Pose(
        landmarks_px=draw(arrays((count, 3))),
        visibility=draw(arrays((count,))),
        presence=draw(arrays((count,))),
        auxiliary_px=np.zeros((2, 3), np.float32),
        score=1.0,
        roi=ROI,
        next_roi=ROI,
        person_id=draw(st.integers(0, 2**32 - 1)),
        world_landmarks_m=draw(st.none() | arrays((count, 3))),
    )


def _as_uint8(data: array.array[int]) -> np.ndarray:
    return np.array(data, np.uint8)


KINDS: list[Callable[..., Any]] = [bytes, bytearray, memoryview, list, tuple, np.array, _as_uint8]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("people", [0, 2])
def test_data_may_be_whatever_holds_bytes(kind: Callable[..., Any], people: int) -> None:
    """Bag readers and other client libraries have messages and fields of their own classes."""
    msg = cloud(people)
    fields = [SimpleNamespace(**_values(field)) for field in msg.fields]
    other: Any = SimpleNamespace(**{**_values(msg), "data": kind(msg.data), "fields": fields})
    expected = landmarks_from_msg(msg).points
    assert (landmarks_from_msg(other).points == expected).all()


def _values(msg: Any) -> dict[str, Any]:
    return {name: getattr(msg, name) for name in msg.get_fields_and_field_types()}


@pytest.mark.parametrize("data", [None, "text", ["text"], [256]])
def test_data_that_is_no_bytes_is_rejected(data: object) -> None:
    other: Any = SimpleNamespace(**{**_values(cloud()), "data": data})
    with pytest.raises(ValueError, match="allowed are bytes"):
        landmarks_from_msg(other)


@given(st.data(), st.sampled_from([UPPER_BODY, FULL_BODY]))
def test_what_is_published_is_what_is_read(data: st.DataObject, topology: Topology) -> None:
    people = tuple(data.draw(st.lists(poses(len(topology)), max_size=3)))
    image = np.zeros((4, 6, 3), np.uint8)
    camera = Camera.from_hfov(ImageSize(6, 4), 1.0)
    persons, options = tuple(map(Person, people)), OutputOptions()
    frame = Frame(Header(), image, Poses(people), persons, topology, camera, options)
    read = landmarks_from_msg(landmarks(frame))

    assert read.points.shape == (len(people), len(topology))
    assert np.isnan(read.xyz).all()
    assert read.person_id.tolist() == [pose.person_id for pose in people]
    for person, pose in enumerate(people):
        np.testing.assert_array_equal(read.pixels[person], pose.landmarks_px[:, :2])
        np.testing.assert_array_equal(read.depth_rel[person], pose.landmarks_px[:, 2])
        np.testing.assert_array_equal(read.visibility[person], pose.visibility)
        np.testing.assert_array_equal(read.presence[person], pose.presence)
        world_m = pose.world_landmarks_m
        expected_m = np.full((len(topology), 3), np.nan) if world_m is None else world_m
        np.testing.assert_array_equal(read.world[person], expected_m)
        assert read.points["index"][person].tolist() == list(range(len(topology)))


def test_everything_is_a_read_only_view_of_the_message() -> None:
    msg = cloud()
    data, read = np.frombuffer(msg.data, np.uint8), landmarks_from_msg(msg)
    views = (
        read.points,
        read.xyz,
        read.pixels,
        read.depth_rel,
        read.world,
        read.visibility,
        read.presence,
        read.person_id,
        read.state,
        read.held_ms,
    )
    for view in views:
        assert np.shares_memory(view, data)
        assert not view.flags.writeable
    assert read.pixels[1].tolist() == [[33, 43], [34, 44], [35, 45]]
    assert read.world[0, 2].tolist() == [62, 72, 82]
    assert read.person_id.tolist() == [7, 8]
    assert read.held_ms.tolist() == [300, 301]


def test_padding_and_fields_of_others_are_stepped_over() -> None:
    plain, msg = cloud(), cloud()
    points = np.frombuffer(plain.data, np.uint8).reshape(2, 3, 52)
    wider = np.pad(points, ((0, 0), (0, 0), (0, 12)), constant_values=0xAA).reshape(2, -1)
    msg.data = array.array("B", np.pad(wider, ((0, 0), (0, 8)), constant_values=0xBB).tobytes())
    msg.fields.append(PointField(name="extra", offset=52, datatype=PointField.FLOAT32, count=1))
    msg.point_step, msg.row_step = 64, 3 * 64 + 8
    assert (landmarks_from_msg(msg).points == landmarks_from_msg(plain).points).all()


def people_cloud(people: int = 2) -> PointCloud2:
    """A cloud of people whose bytes all differ from their neighbours."""
    points = np.zeros(people, PERSON_DTYPE)
    for number, name in enumerate(PERSON_DTYPE.names or ()):
        points[name] = np.arange(people) + 10 * number
    points["person_id"], points["is_target"] = np.arange(7, 7 + people), np.arange(people) == 1
    return PointCloud2(
        height=1,
        width=people,
        fields=cloud_fields(PERSON_DTYPE),
        point_step=92,
        row_step=92 * people,
        data=array.array("B", points.tobytes()),
    )


def test_people_are_read_only_views_of_their_message() -> None:
    msg = people_cloud()
    data, read = np.frombuffer(msg.data, np.uint8), people_from_msg(msg)
    vectors = (read.xyz, read.velocity, read.xyz_std, read.velocity_std, read.heading)
    for number, vector in enumerate(vectors):
        assert vector.tolist() == [[30 * number + 10 * i + p for i in range(3)] for p in range(2)]
    assert read.center.tolist() == [[150, 160], [151, 161]]
    assert read.person_id.tolist() == [7, 8]
    assert read.is_target.tolist() == [False, True]
    for view in (read.points, *vectors, read.center, read.person_id, read.is_target):
        assert np.shares_memory(view, data)
        assert not view.flags.writeable
    assert people_from_msg(people_cloud(0)).xyz.shape == (0, 3)


def test_clouds_that_are_none_of_people_are_rejected_with_a_reason() -> None:
    rows, short = people_cloud(), people_cloud()
    rows.height = 2
    short.point_step = 90
    for msg, text in (
        (rows, "has 2 rows; allowed is one"),
        (short, "points of at least 92 bytes"),
        (cloud(people=1), "no float32 field 'vx' at offset 12"),
    ):
        with pytest.raises(ValueError, match=r"^cloud of people") as error:
            people_from_msg(msg)
        assert text in str(error.value)


def test_nobody_is_no_rows() -> None:
    read = landmarks_from_msg(cloud(people=0))
    assert read.points.shape == (0, 3)
    assert read.pixels.shape == (0, 3, 2)
    assert read.person_id.shape == (0,)


def _without_wy(msg: PointCloud2) -> None:
    msg.fields = [field for field in msg.fields if field.name != "wy"]


def _without_fields(msg: PointCloud2) -> None:
    msg.fields = []


def _moved_u(msg: PointCloud2) -> None:
    msg.fields[3].offset = 16


def _double_x(msg: PointCloud2) -> None:
    msg.fields[0].datatype = PointField.FLOAT64


def _big_endian(msg: PointCloud2) -> None:
    msg.is_bigendian = True


def _short_points(msg: PointCloud2) -> None:
    msg.point_step = 48


def _short_rows(msg: PointCloud2) -> None:
    msg.row_step = 155


def _no_width(msg: PointCloud2) -> None:
    msg.width = 0


def _short_data(msg: PointCloud2) -> None:
    msg.data.pop()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_without_wy, "no float32 field 'wy' at offset 28; it has x at 0, y at 4,"),
        (_without_fields, "no float32 field 'x' at offset 0; it has no fields"),
        (_moved_u, "no float32 field 'u' at offset 12; it has x at 0, y at 4, z at 8, u at 16"),
        (_double_x, "no float32 field 'x' at offset 0"),
        (_big_endian, "big-endian; allowed is little-endian"),
        (_short_points, "point_step 48"),
        (_short_rows, "row_step 155"),
        (_no_width, "width 0"),
        (_short_data, "2 rows of 156 bytes has only 311 bytes of data"),
    ],
)
def test_other_layouts_are_rejected_with_a_reason(
    damage: Callable[[PointCloud2], None], text: str
) -> None:
    msg = cloud()
    damage(msg)
    with pytest.raises(ValueError, match=r"^landmark cloud") as error:
        landmarks_from_msg(msg)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("topology", [UPPER_BODY, FULL_BODY])
def test_names_are_read_as_published(topology: Topology) -> None:
    read = names_from_msg(landmark_names("some_model", topology))
    assert read == ("some_model", topology.names, topology.connections)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"model": "m"}',
        '{"model": "m", "names": [], "connections": [1]}',
        '{"model": "m", "names": [], "connections": [[Infinity, 0]]}',
        '{"model": "m", "names": [1], "connections": []}',
        '{"model": [], "names": [], "connections": []}',
        "[" * 100_000,
    ],
)
def test_other_texts_are_no_names(text: str) -> None:
    with pytest.raises(ValueError, match="is not a message of landmark names"):
        names_from_msg(String(data=text))


@pytest.mark.parametrize("data", [None, 7, b"\xff", []])
def test_what_is_no_text_is_no_names(data: object) -> None:
    with pytest.raises(ValueError, match="is not a message of landmark names"):
        names_from_msg(SimpleNamespace(data=data))


def test_subscribers_need_neither_rclpy_nor_the_pipeline() -> None:
    code = (
        "import sys, pose_ros.client\n"
        "print([name for name in ('rclpy', 'onnxruntime', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
