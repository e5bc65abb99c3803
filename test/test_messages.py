"""What the node publishes, built without a node."""

from __future__ import annotations

import array
import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import media
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, PointCloud2, PointField, RegionOfInterest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.camera import Camera
from pose_ros.blazepose.datatypes import Detection, Float64Array, ImageArray, ImageSize, Pose, Roi
from pose_ros.blazepose.distortion import distortion_from
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.errors import CameraError
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.messages import (
    LANDMARK_NAMES,
    OUTPUTS,
    FrameResult,
    annotated_image,
    annotated_jpeg,
    camera_from_info,
    landmark_names,
    landmarks,
    landmarks_array,
    roi_markers,
    segmentation_mask,
)

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical")
SIZE = ImageSize(64, 48)
CAMERA = Camera(SIZE, 50.0, 55.0, 30.0, 25.0, is_calibrated=True)
IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
ROI = Roi(np.array((20.0, 30.0)), 40.0, 0.3)
DETECTION = Detection(0.9, np.array((10, 5, 50, 45)), np.array(((1, 2), (3, 4), (5, 6), (7, 8))))


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


@pytest.fixture(scope="module")
def astronaut() -> FrameResult:
    """The result of a real picture, with a detection."""
    media.require("astronaut")
    image = next(media.frames("astronaut"))
    poses = PoseTracker(PoseTrackerOptions(static_image_mode=True), MODELS_DIR).track(image, 0)
    camera = Camera.from_hfov(ImageSize(512, 512), 1.0)
    return FrameResult(HEADER, image, poses, UPPER_BODY, camera)


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


# ~/roi_markers


def marker(msg: MarkerArray, namespace: str, slot: int = 0) -> Marker:
    (found,) = (item for item in msg.markers if (item.ns, item.id) == (namespace, slot))
    return found


def points_m(item: Marker) -> Float64Array:
    return np.array([(point.x, point.y, point.z) for point in item.points])


@given(
    st.tuples(*[st.floats(-2000, 4000)] * 2),
    st.floats(1, 5000),
    st.floats(-4, 4),
    st.floats(0.1, 20),
)
def test_roi_marker_projects_onto_the_roi(
    center_px: tuple[float, float], size_px: float, rotation_rad: float, distance_m: float
) -> None:
    roi = Roi(np.array(center_px), size_px, rotation_rad)
    item = marker(roi_markers(frame(pose(roi=roi), marker_distance_m=distance_m)), "roi")
    np.testing.assert_allclose(points_m(item)[:, 2], distance_m)
    stroke_px = CAMERA.project(points_m(item))
    center, top, *around, end = stroke_px
    np.testing.assert_allclose(center, roi.center_px, atol=0.01)
    np.testing.assert_allclose(np.roll(around, 1, axis=0), roi.corners_px(), atol=0.01)
    np.testing.assert_allclose(top, end, atol=0.01)
    up_px = np.array((np.sin(rotation_rad), -np.cos(rotation_rad))) * size_px / 2
    np.testing.assert_allclose(top - center, up_px, atol=0.01)


def test_markers_of_a_real_person_project_onto_roi_and_detection(astronaut: FrameResult) -> None:
    msg = roi_markers(astronaut)
    (person,) = astronaut.poses
    assert person.detection is not None

    def projected_px(namespace: str) -> Float64Array:
        return astronaut.camera.project(points_m(marker(msg, namespace)))

    corners_px = np.roll(projected_px("roi")[2:6], 1, axis=0)
    np.testing.assert_allclose(corners_px, person.roi.corners_px(), atol=0.01)
    xmin, ymin, xmax, ymax = person.detection.box_px
    box_px = [(xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax), (xmin, ymin)]
    np.testing.assert_allclose(projected_px("detection"), box_px, atol=0.01)
    np.testing.assert_allclose(
        projected_px("detection_keypoints"), person.detection.keypoints_px, atol=0.01
    )


def test_markers_are_complete_for_a_viewer() -> None:
    msg = roi_markers(frame(pose(detection=DETECTION), marker_distance_m=2.0))
    kinds = {item.ns: item.type for item in msg.markers}
    assert kinds == {
        "roi": Marker.LINE_STRIP,
        "detection": Marker.LINE_STRIP,
        "detection_keypoints": Marker.SPHERE_LIST,
    }
    for item in msg.markers:
        assert item.header == HEADER
        assert item.action == Marker.ADD
        assert item.pose.orientation.w == 1.0
        assert item.color.a == 1.0
    assert marker(msg, "roi").scale.x == pytest.approx(3 / 50 * 2)  # 3 px at 2 m


def test_markers_are_numbered_by_person() -> None:
    msg = roi_markers(frame(pose(7), pose(9, detection=DETECTION)))
    keys = [(item.ns, item.id) for item in msg.markers]
    assert keys == [("roi", 0), ("roi", 1), ("detection", 1), ("detection_keypoints", 1)]


@pytest.mark.parametrize(
    ("period_s", "lifetime_s"), [(0.1, 0.3), (1.0, 3.0), (0.0, 0.1), (-1.0, 0.1), (100.0, 6.0)]
)
def test_markers_live_three_frames_but_never_for_ever(period_s: float, lifetime_s: float) -> None:
    lifetime = marker(roi_markers(frame(pose(), frame_period_s=period_s)), "roi").lifetime
    assert lifetime.sec + lifetime.nanosec * 1e-9 == pytest.approx(lifetime_s)


def test_exactly_the_vanished_markers_are_deleted() -> None:
    before = frame(pose(1, detection=DETECTION), pose(2))
    after = frame(pose(1), previous_markers=before.markers)
    msg = roi_markers(after)
    assert [(item.ns, item.id, item.action) for item in msg.markers] == [
        ("roi", 0, Marker.ADD),
        ("detection", 0, Marker.DELETE),
        ("detection_keypoints", 0, Marker.DELETE),
        ("roi", 1, Marker.DELETE),
    ]
    assert {item.header.frame_id for item in msg.markers} == {"camera_optical"}
    assert len(roi_markers(frame(pose(1), previous_markers=after.markers)).markers) == 1


_people = st.lists(st.sampled_from([None, DETECTION]), max_size=3)


@given(st.lists(_people, min_size=1, max_size=6))
def test_a_viewer_shows_what_the_last_frame_has(sequence: list[list[Detection | None]]) -> None:
    shown: set[tuple[str, int]] = set()
    result = frame()
    for people in sequence:
        poses = [pose(number, detection=item) for number, item in enumerate(people)]
        result = frame(*poses, previous_markers=result.markers)
        for item in roi_markers(result).markers:
            assert item.action in (Marker.ADD, Marker.DELETE)
            if item.action == Marker.DELETE:
                shown.remove((item.ns, item.id))  # KeyError for what was never shown
            else:
                shown.add((item.ns, item.id))
        assert shown == result.markers
        assert len(shown) == sum(1 if item is None else 3 for item in people)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_becomes_no_marker(bad: float) -> None:
    detection = Detection(0.9, np.array((1, 2, bad, 4)), np.full((4, 2), bad))
    result = frame(pose(detection=detection), previous_markers=frozenset({("detection", 0)}))
    items = roi_markers(result).markers
    assert [(item.ns, item.action) for item in items] == [
        ("roi", Marker.ADD),
        ("detection", Marker.DELETE),
    ]
    assert np.isfinite(points_m(items[0])).all()


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

    monkeypatch.setattr("pose_ros.messages.draw_poses", counting)
    result = frame(pose())
    for build in (landmarks, landmarks_array, roi_markers):
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


K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)


def test_camera_of_a_full_picture_is_the_matrix() -> None:
    camera = camera_from_info(CameraInfo(width=640, height=480, k=K), ImageSize(640, 480))
    assert camera == Camera(ImageSize(640, 480), 500.0, 500.0, 320.0, 240.0, is_calibrated=True)


def test_camera_of_a_binned_part_fits_that_part() -> None:
    part = RegionOfInterest(x_offset=100, y_offset=40, width=200, height=160)
    info = CameraInfo(width=640, height=480, k=K, binning_x=2, binning_y=2, roi=part)
    camera = camera_from_info(info, ImageSize(100, 80))
    assert camera is not None
    assert (camera.fx, camera.fy) == (250, 250)
    assert (camera.cx, camera.cy) == ((220 + 0.5) / 2 - 0.5, (200 + 0.5) / 2 - 0.5)


P = (480.0, 0.0, 310.0, -40.0, 0.0, 480.0, 250.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_raw_image_has_the_distortion_and_a_rectified_one_has_not() -> None:
    size = ImageSize(640, 480)
    d = [-0.3, 0.1, 0.001, 0.0, 0.0]
    info = CameraInfo(width=640, height=480, distortion_model="plumb_bob", d=d, k=K, p=P)
    raw, rectified = camera_from_info(info, size), camera_from_info(info, size, is_rectified=True)
    assert raw is not None
    assert raw.distortion == distortion_from("plumb_bob", d)
    assert raw.fx == 500
    assert rectified == Camera(size, 480.0, 480.0, 310.0, 250.0, is_calibrated=True)


def test_unknown_distortion_is_refused_where_it_matters() -> None:
    size = ImageSize(640, 480)
    info = CameraInfo(width=640, height=480, distortion_model="odd", d=[1.0], k=K, p=P)
    with pytest.raises(CameraError, match="the distortion model is 'odd'; allowed is one of"):
        camera_from_info(info, size)
    assert camera_from_info(info, size, is_rectified=True) is not None


@pytest.mark.parametrize("is_rectified", [False, True])
def test_uncalibrated_camera_is_none(is_rectified: bool) -> None:
    info = CameraInfo(width=640, height=480)
    assert camera_from_info(info, ImageSize(640, 480), is_rectified) is None
