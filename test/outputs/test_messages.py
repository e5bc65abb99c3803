"""What the node publishes, built without a node."""

from __future__ import annotations

import array
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import cv2
import media
import numpy as np
import numpy.typing as npt
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageSize, Pose, Poses, Roi
from pose_ros.blazepose.drawing import draw_on, draw_poses
from pose_ros.blazepose.option_fields import option_specs
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.located import Position
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.outputs.clouds import landmarks
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.images import rgb_pixels
from pose_ros.outputs.markers import markers, roi_markers
from pose_ros.outputs.messages import (
    LANDMARK_NAMES,
    OUTPUTS,
    annotated_image,
    annotated_jpeg,
    landmark_names,
    landmarks_array,
    segmentation_mask,
)
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.topics import QOS

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical")
SIZE = ImageSize(64, 48)
CAMERA = Camera(SIZE, 50.0, 55.0, 30.0, 25.0, is_calibrated=True)
IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
OPTIONS = OutputOptions()
OF_REAL_FRAME = PoseTrackerOptions(model="upper_body", static_image_mode=True)
ROI = Roi(np.array((20.0, 30.0)), 40.0, 0.3)


def pose(person_id: int = 3, count: int = 25, **fields: Any) -> Pose:
    random = np.random.default_rng(person_id)
    defaults: dict[str, Any] = {
        "landmarks_px": random.uniform(-10, 70, (count, 3)),
        "visibility": random.uniform(0, 1, count),
        "presence": random.uniform(0, 1, count),
        "auxiliary_px": np.zeros((2, 3)),
        "score": 0.9,
        "roi": ROI,
        "next_roi": ROI,
        "person_id": person_id,
    }
    return Pose(**{**defaults, **fields})


def located(pose: Pose, landmarks_m: npt.ArrayLike) -> Person:
    """A person whose position is known."""
    return Person(pose, Position(np.asarray(landmarks_m, np.float32), "depth"))


def frame(*people: Pose | Person, **fields: Any) -> Frame:
    """A frame of some people; `fields` are those of the frame, and output options."""
    persons = tuple(Person(item) if isinstance(item, Pose) else item for item in people)
    chosen = {name: fields.pop(name) for name in [*fields] if name in option_specs(OutputOptions)}
    defaults: dict[str, Any] = {"topology": UPPER_BODY, "camera": CAMERA}
    defaults["options"] = OutputOptions(**chosen)
    poses = Poses(person.pose for person in persons)
    return Frame(HEADER, IMAGE, poses, persons, **{**defaults, **fields})


@functools.cache
def real_frame() -> Frame:
    """The result of a real picture, with a detection."""
    media.require("astronaut")
    image = next(media.frames("astronaut"))
    poses = PoseTracker(OF_REAL_FRAME, MODELS_DIR).track(image, 0)
    camera = Camera.from_hfov(ImageSize(512, 512), 1.0)
    return Frame(HEADER, image, poses, tuple(map(Person, poses)), UPPER_BODY, camera, OPTIONS)


@pytest.fixture
def astronaut() -> Frame:
    return real_frame()


# ~/landmarks


def column(msg: PointCloud2, name: str) -> np.ndarray:
    """Read one field of a cloud by its own description, apart from the client's layout."""
    dtypes = {
        PointField.FLOAT32: "<f4",
        PointField.UINT32: "<u4",
        PointField.UINT16: "<u2",
        PointField.UINT8: "u1",
    }
    (field,) = (field for field in msg.fields if field.name == name)
    return np.ndarray(
        (msg.height, msg.width),
        dtypes[field.datatype],
        buffer=bytes(msg.data),
        offset=field.offset,
        strides=(msg.row_step, msg.point_step),
    )


def test_cloud_has_the_documented_layout() -> None:
    msg = landmarks(frame(pose()))
    floats = ("x", "y", "z", "u", "v", "depth_rel", "wx", "wy", "wz", "visibility", "presence")
    expected = [(name, 4 * index, PointField.FLOAT32) for index, name in enumerate(floats)]
    expected += [("person_id", 44, PointField.UINT32), ("index", 48, PointField.UINT8)]
    expected += [("state", 49, PointField.UINT8), ("held_ms", 50, PointField.UINT16)]
    assert [(field.name, field.offset, field.datatype) for field in msg.fields] == expected
    assert {field.count for field in msg.fields} == {1}
    assert (msg.point_step, msg.row_step) == (52, 52 * 25)
    assert not msg.is_bigendian
    assert not msg.is_dense
    assert msg.header == HEADER


def test_cloud_has_a_row_per_person() -> None:
    world_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    people = (pose(3), pose(8, world_landmarks_m=world_m))
    msg = landmarks(frame(*people))
    assert (msg.height, msg.width) == (2, 25)
    assert len(msg.data) == msg.height * msg.row_step
    for row, person in enumerate(people):
        for name, expected in zip(("u", "v", "depth_rel"), person.landmarks_px.T, strict=True):
            np.testing.assert_array_equal(column(msg, name)[row], expected)
        np.testing.assert_array_equal(column(msg, "visibility")[row], person.visibility)
        np.testing.assert_array_equal(column(msg, "presence")[row], person.presence)
        np.testing.assert_array_equal(column(msg, "person_id")[row], person.person_id)
        np.testing.assert_array_equal(column(msg, "index")[row], range(25))
    for name, expected in zip(("wx", "wy", "wz"), world_m.T, strict=True):
        assert np.isnan(column(msg, name)[0]).all()
        np.testing.assert_array_equal(column(msg, name)[1], expected)
    for name in ("x", "y", "z"):
        assert np.isnan(column(msg, name)).all()


def test_cloud_has_the_positions_that_are_known() -> None:
    known_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    known_m[4] = np.nan
    msg = landmarks(frame(pose(1), located(pose(2), known_m)))
    for name, expected in zip(("x", "y", "z"), known_m.T, strict=True):
        assert np.isnan(column(msg, name)[0]).all()
        np.testing.assert_array_equal(column(msg, name)[1], expected)


def test_positions_are_published_in_the_frame_of_the_transform() -> None:
    turn = TransformStamped(header=Header(frame_id="map"), child_frame_id="camera_optical")
    turn.transform.translation.x = 10.0
    turn.transform.rotation.z = turn.transform.rotation.w = np.sqrt(0.5)  # 90 degrees about z
    known_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    known_m[4] = np.nan
    person = pose(
        1, landmarks_px=np.full((25, 3), 20.0), visibility=np.ones(25), presence=np.ones(25)
    )
    result = frame(located(person, known_m), transform=turn, target_frame="map")
    moved_m = np.column_stack((10 - known_m[:, 1], known_m[:, 0], known_m[:, 2]))
    msg = landmarks(result)
    assert (msg.header.frame_id, msg.header.stamp) == ("map", HEADER.stamp)
    found_m = np.column_stack([column(msg, name)[0] for name in ("x", "y", "z")])
    np.testing.assert_allclose(found_m, moved_m, atol=1e-5)
    np.testing.assert_array_equal(column(msg, "u")[0], 20.0)
    (dots,) = (item for item in markers(result).markers if item.ns == "landmarks")
    assert dots.header == msg.header
    np.testing.assert_allclose(
        [(p.x, p.y, p.z) for p in dots.points], np.delete(moved_m, 4, axis=0), atol=1e-5
    )
    assert {item.header.frame_id for item in roi_markers(result).markers} == {"map"}
    assert annotated_image(result).header == HEADER


def test_cloud_of_nobody_has_width_and_no_data() -> None:
    msg = landmarks(frame())
    assert (msg.height, msg.width, msg.point_step, msg.row_step) == (0, 25, 52, 1300)
    assert len(msg.data) == 0
    assert landmarks(frame(topology=FULL_BODY)).width == 33


@pytest.mark.parametrize("people", [0, 1, 3])
def test_cloud_survives_the_wire(people: int) -> None:
    msg = landmarks(frame(*(pose(number) for number in range(people))))
    received = deserialize_message(serialize_message(msg), PointCloud2)
    assert received == msg
    assert isinstance(msg.data, array.array)


def test_every_byte_of_a_point_belongs_to_one_field() -> None:
    msg = landmarks(frame())
    sizes = {
        PointField.FLOAT32: 4,
        PointField.UINT32: 4,
        PointField.UINT16: 2,
        PointField.UINT8: 1,
    }
    used = [field.offset + byte for field in msg.fields for byte in range(sizes[field.datatype])]
    assert sorted(used) == list(range(msg.point_step))


@pytest.mark.parametrize(
    ("held_ns", "is_held", "state", "held_ms"),
    [
        (0, False, 2, 0),
        (66_666_667, False, 2, 67),
        (1, True, 3, 1),
        (300_000_000, True, 3, 300),
        (300_000_001, True, 3, 301),
        (65_535_000_000, True, 3, 65_535),
        (10**15, True, 3, 65_535),
    ],
)
def test_state_and_age_of_the_pose_are_per_person(
    held_ns: int, is_held: bool, state: int, held_ms: int
) -> None:
    msg = landmarks(frame(pose(1), pose(2, held_ns=held_ns, is_held=is_held)))
    assert (column(msg, "state") == [[2], [state]]).all()
    assert (column(msg, "held_ms") == [[0], [held_ms]]).all()


def test_tf2_transforms_the_cloud() -> None:
    """Turned by 90 degrees about z and shifted; the other fields stay."""
    reason = "tf2_sensor_msgs comes with a ROS installation, not from PyPI"
    transform_cloud = pytest.importorskip("tf2_sensor_msgs", reason=reason).do_transform_cloud
    positions_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    msg = landmarks(frame(located(pose(7), positions_m)))
    transform = TransformStamped()
    transform.header.frame_id = "map"
    transform.transform.rotation.z = transform.transform.rotation.w = 0.5**0.5
    transform.transform.translation.x = 10.0
    moved = transform_cloud(msg, transform)
    assert moved.header.frame_id == "map"
    x, y, z = positions_m.T
    for name, expected in (("x", 10 - y), ("y", x), ("z", z)):
        np.testing.assert_allclose(column(moved, name).ravel(), expected, atol=1e-4)
    for name in ("u", "visibility", "person_id", "index", "state", "held_ms"):
        np.testing.assert_array_equal(column(moved, name).ravel(), column(msg, name).ravel())


# ~/landmarks_array


def test_array_is_normalized_and_describes_itself() -> None:
    people = (pose(1), pose(2))
    msg = landmarks_array(frame(*people))
    dimensions = [(item.label, item.size, item.stride) for item in msg.layout.dim]
    assert dimensions == [("person", 2, 200), ("landmark", 25, 100), ("value", 4, 4)]
    assert msg.layout.data_offset == 0
    values = np.array(msg.data, np.float32).reshape(2, 25, 4)
    for row, person in zip(values, people, strict=True):
        expected = person.landmarks_px / np.array((64, 48, 64), np.float32)
        np.testing.assert_array_equal(row[:, :3], expected)
        np.testing.assert_array_equal(row[:, 3], person.visibility)


def test_array_of_nobody_is_empty() -> None:
    msg = landmarks_array(frame())
    dimensions = [(item.label, item.size, item.stride) for item in msg.layout.dim]
    assert dimensions == [("person", 0, 0), ("landmark", 25, 100), ("value", 4, 4)]
    assert len(msg.data) == 0


# pictures


def test_annotated_pictures_are_the_drawing(astronaut: Frame) -> None:
    poses = [person.pose for person in astronaut.people]
    labels = [str(pose.person_id) for pose in poses]
    drawn = draw_poses(astronaut.image, poses, UPPER_BODY, OPTIONS.min_visibility, labels)
    raw, jpeg = annotated_image(astronaut), annotated_jpeg(astronaut)
    np.testing.assert_array_equal(rgb_from_image(raw), drawn)
    assert not np.shares_memory(rgb_pixels(raw), astronaut.image)
    difference = cv2.absdiff(rgb_from_compressed(jpeg), drawn)
    assert difference.mean() < 3
    assert raw.header == HEADER
    assert jpeg.header == HEADER


def test_min_visibility_changes_the_drawing_and_not_the_data() -> None:
    low, high = (frame(pose(), min_visibility=bound) for bound in (0.0, 1.0))
    assert low.annotated != high.annotated
    assert landmarks(low) == landmarks(high)


def test_picture_is_drawn_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counting(*args: Any) -> None:
        calls.append(1)
        draw_on(*args)

    monkeypatch.setattr("pose_ros.outputs.frame.draw_on", counting)
    result = frame(pose())
    for build in (landmarks, landmarks_array, markers, roi_markers):
        build(result)
    assert calls == []
    annotated_image(result)
    annotated_jpeg(result)
    assert calls == [1]


# the rest


@pytest.mark.parametrize("topology", [UPPER_BODY, FULL_BODY])
def test_names_are_plain_json(topology: Any) -> None:
    content = json.loads(landmark_names("some_model", topology).data)
    assert content == {
        "model": "some_model",
        "names": list(topology.names),
        "connections": [list(pair) for pair in topology.connections],
    }


def test_mask_is_the_union_of_all_people_in_the_size_of_the_image() -> None:
    height, width = IMAGE.shape[:2]
    left, right = np.zeros((2, height, width), np.float32)
    left[:, : width // 2], right[:, width // 4 :] = 1.0, 0.5
    people = [pose(number, mask=mask) for number, mask in enumerate((left, right))]
    msg = segmentation_mask(frame(*people))
    assert (msg.header, msg.encoding, msg.height, msg.width) == (HEADER, "mono8", height, width)
    pixels = np.frombuffer(msg.data, np.uint8).reshape(height, width)
    np.testing.assert_array_equal(pixels, np.rint(255 * np.maximum(left, right)))


def test_mask_tells_people_apart_by_their_ids() -> None:
    height, width = IMAGE.shape[:2]
    faint, left, right = np.zeros((3, height, width), np.float32)
    faint[:], left[:, : width // 2], right[:, width // 4 :] = 0.5, 0.7, 0.9
    ids = 5, 256, 1000
    people = [pose(i, mask=mask) for i, mask in zip(ids, (faint, left, right), strict=True)]
    msg = segmentation_mask(frame(*people, mask_labels=True))
    pixels = np.frombuffer(msg.data, np.uint8).reshape(height, width)
    expected = np.full_like(pixels, 1000 - 3 * 255)
    expected[:, : width // 4] = 1  # 255 ids later they begin anew
    np.testing.assert_array_equal(pixels, expected)
    assert msg.encoding == "mono8"


def test_mask_has_no_one_who_is_out_of_sight() -> None:
    """The last mask of somebody who is held belongs to another image."""
    held = pose(mask=np.ones(IMAGE.shape[:2]), held_ns=1, is_held=True)
    result = dataclasses.replace(frame(held), poses=Poses(held=[held]))
    assert not np.any(segmentation_mask(result).data)


@pytest.mark.parametrize("mask_labels", [False, True])
def test_mask_is_empty_when_nobody_is_there(mask_labels: bool) -> None:
    assert not np.any(segmentation_mask(frame(mask_labels=mask_labels)).data)


def test_every_output_builds_its_type_and_can_be_sent(astronaut: Frame) -> None:
    assert len({output.name for output in OUTPUTS}) == len(OUTPUTS)
    for output in OUTPUTS:
        msg = output.build(astronaut)
        assert type(msg) is output.message_type
        assert output.qos in QOS
        received = deserialize_message(serialize_message(msg), output.message_type)
        if output.message_type is MarkerArray:  # its colours are float32 on the wire
            assert [item.points for item in received.markers] == [
                item.points for item in msg.markers
            ]
        else:
            assert received == msg
    names = LANDMARK_NAMES.build("some_model", UPPER_BODY)
    assert type(names) is LANDMARK_NAMES.message_type
    assert LANDMARK_NAMES.qos == "latched"


def test_results_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame().people = ()  # type: ignore[misc]


def test_positions_without_their_transform_are_unknown_and_not_drawn() -> None:
    known_m = np.ones((25, 3), np.float32)
    result = frame(located(pose(detection=None), known_m), target_frame="map")
    msg = landmarks(result)
    assert msg.header.frame_id == "map"
    for name in ("x", "y", "z"):
        assert np.isnan(column(msg, name)).all()
    assert markers(result).markers == roi_markers(result).markers == []
    assert annotated_image(result).header == HEADER
