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
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import ImageArray, ImageSize, Pose, Roi
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.frame import FrameResult
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.markers import markers, roi_markers
from pose_ros.messages import (
    LANDMARK_NAMES,
    OUTPUTS,
    annotated_image,
    annotated_jpeg,
    landmark_names,
    landmarks,
    landmarks_array,
    segmentation_mask,
)

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical")
SIZE = ImageSize(64, 48)
CAMERA = Camera(SIZE, 50.0, 55.0, 30.0, 25.0, is_calibrated=True)
IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
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


def frame(*poses: Pose, **fields: Any) -> FrameResult:
    defaults: dict[str, Any] = {"topology": UPPER_BODY, "camera": CAMERA}
    return FrameResult(HEADER, IMAGE, poses, **{**defaults, **fields})


@functools.cache
def real_frame() -> FrameResult:
    """The result of a real picture, with a detection."""
    media.require("astronaut")
    image = next(media.frames("astronaut"))
    poses = PoseTracker(PoseTrackerOptions(static_image_mode=True), MODELS_DIR).track(image, 0)
    camera = Camera.from_hfov(ImageSize(512, 512), 1.0)
    return FrameResult(HEADER, image, poses, UPPER_BODY, camera)


@pytest.fixture
def astronaut() -> FrameResult:
    return real_frame()


# ~/landmarks


def column(msg: PointCloud2, name: str) -> np.ndarray:
    """Read one field of a cloud by its own description, apart from the client's layout."""
    dtypes = {PointField.FLOAT32: "<f4", PointField.UINT32: "<u4", PointField.UINT8: "u1"}
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
    expected = [(name, 4 * place, PointField.FLOAT32) for place, name in enumerate(floats)]
    expected += [("person_id", 44, PointField.UINT32), ("index", 48, PointField.UINT8)]
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


def test_cloud_has_the_places_that_are_known() -> None:
    known_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    known_m[4] = np.nan
    unknown_m = np.full((25, 3), np.nan, np.float32)
    msg = landmarks(frame(pose(1), pose(2), landmarks_m=(unknown_m, known_m)))
    for name, expected in zip(("x", "y", "z"), known_m.T, strict=True):
        assert np.isnan(column(msg, name)[0]).all()
        np.testing.assert_array_equal(column(msg, name)[1], expected)


def test_places_are_published_in_the_frame_of_the_transform() -> None:
    turn = TransformStamped(header=Header(frame_id="map"), child_frame_id="camera_optical")
    turn.transform.translation.x = 10.0
    turn.transform.rotation.z = turn.transform.rotation.w = np.sqrt(0.5)  # 90 degrees about z
    known_m = np.arange(75, dtype=np.float32).reshape(25, 3)
    known_m[4] = np.nan
    person = pose(
        1, landmarks_px=np.full((25, 3), 20.0), visibility=np.ones(25), presence=np.ones(25)
    )
    result = frame(person, landmarks_m=(known_m,), transform=turn)
    moved_m = np.column_stack((10 - known_m[:, 1], known_m[:, 0], known_m[:, 2]))
    msg = landmarks(result)
    assert (msg.header.frame_id, msg.header.stamp) == ("map", HEADER.stamp)
    found_m = np.column_stack([column(msg, name)[0] for name in ("x", "y", "z")])
    np.testing.assert_allclose(found_m, moved_m, atol=1e-5)
    np.testing.assert_array_equal(column(msg, "u")[0], 20.0)
    (_, dots) = markers(result).markers
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


def test_padding_is_always_zero() -> None:
    points = np.frombuffer(landmarks(frame(pose(), pose())).data, np.uint8).reshape(-1, 52)
    assert not points[:, 49:].any()


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


def test_annotated_pictures_are_the_drawing(astronaut: FrameResult) -> None:
    drawn = draw_poses(astronaut.image, astronaut.poses, UPPER_BODY, 0.5)
    raw, jpeg = annotated_image(astronaut), annotated_jpeg(astronaut)
    np.testing.assert_array_equal(rgb_from_image(raw), drawn)
    difference = cv2.absdiff(rgb_from_compressed(jpeg), drawn)
    assert difference.mean() < 3
    assert raw.header == HEADER
    assert jpeg.header == HEADER


def test_min_visibility_changes_the_drawing_and_not_the_data() -> None:
    low, high = frame(pose(), min_visibility=0.0), frame(pose(), min_visibility=1.0)
    assert (low.annotated != high.annotated).any()
    assert landmarks(low) == landmarks(high)


def test_picture_is_drawn_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counting(*args: Any) -> ImageArray:
        calls.append(1)
        return draw_poses(*args)

    monkeypatch.setattr("pose_ros.frame.draw_poses", counting)
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
    people = [dataclasses.replace(pose(), mask=mask) for mask in (left, right)]
    msg = segmentation_mask(frame(*people, has_mask=True))
    assert msg is not None
    assert (msg.header, msg.encoding, msg.height, msg.width) == (HEADER, "mono8", height, width)
    pixels = np.frombuffer(msg.data, np.uint8).reshape(height, width)
    np.testing.assert_array_equal(pixels, np.rint(255 * np.maximum(left, right)))


def test_mask_is_empty_when_nobody_is_there_and_absent_when_not_asked_for() -> None:
    nobody = segmentation_mask(frame(has_mask=True))
    assert nobody is not None
    assert not np.any(nobody.data)
    assert segmentation_mask(frame()) is None


def test_every_output_builds_its_type_and_can_be_sent(astronaut: FrameResult) -> None:
    assert len({output.name for output in OUTPUTS}) == len(OUTPUTS)
    with_mask = dataclasses.replace(astronaut, has_mask=True)
    for output in OUTPUTS:
        msg = output.build(with_mask if output.needs_mask else astronaut)
        assert type(msg) is output.message_type
        assert output.qos in ("data", "image")
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
        frame().marker_distance_m = 2.0  # type: ignore[misc]
