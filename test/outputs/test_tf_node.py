"""The node with TF, over DDS: rejected without tf2_ros; with a stand-in for it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import rgbd_camera
import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import Client
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import Marker

from outputs.test_tf import ASKED, STAND_IN, WITHOUT_TF2, placed
from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.client import Landmarks, landmarks_from_msg
from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()
HOUR_NS = 3600 * 10**9


@WITHOUT_TF2
@pytest.mark.parametrize(("name", "value"), ASKED.items())
def test_a_node_that_needs_tf_does_not_start_without_it(name: str, value: Any) -> None:
    with running.node_process(*running.parameters(**{name: value})) as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert name in line
        assert "tf2_ros" in line
        assert "Traceback" not in process.output


@WITHOUT_TF2
@pytest.mark.parametrize(("name", "value"), ASKED.items())
def test_tf_is_rejected_while_the_node_runs(pose: Client, name: str, value: Any) -> None:
    before = pose.get(name)
    result = pose.set(**{name: value})
    assert not result.successful
    assert "tf2_ros" in result.reason
    assert pose.get(name) == before


INFO = rgbd_camera.off_center(rgbd_camera.calibration(*PERSON.shape[:2]))


@contextmanager
def calibrated(
    monkeypatch: pytest.MonkeyPatch, info: CameraInfo, **options: Any
) -> Iterator[Client]:
    """A node with the stand-in for tf2_ros, and a calibrated camera for it."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    with running.node_and_client(*running.parameters(**{"model": "lite", **options})) as client:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.node.create_publisher(CameraInfo, "camera_info", latched).publish(info)
        yield client


@pytest.fixture
def camera(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with calibrated(monkeypatch, INFO, **request.param) as client:
        yield client


@pytest.mark.parametrize(
    "camera", [{"publish_tf": True, "tf_landmarks": True, "tf_bones": True}], indirect=True
)
def test_people_become_frames_for_subscribers_of_tf_alone(camera: Client) -> None:
    received = camera.subscribe("/tf", TransformStamped, qos=100)

    def is_enough() -> bool:
        camera.publish(running.image(PERSON))
        return len(received) > 60

    camera.until(is_enough, "transforms")
    found = {item.child_frame_id: item for item in received}
    number = next(name for name in found if name.endswith("/nose")).removesuffix("/nose")
    assert number in found
    assert f"{number}/neck" in found
    assert {item.header.frame_id for item in found.values()} == {running.FRAME_ID}
    assert found[number].transform.translation.z > 0.3


def test_two_people_have_frames_by_id_until_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    width = PERSON.shape[1]
    pair = np.hstack((PERSON, PERSON[:, ::-1]))
    alone = pair.copy()
    alone[:, width:] = 110
    info = rgbd_camera.calibration(*pair.shape[:2])
    with calibrated(monkeypatch, info, publish_tf=True, max_persons=2) as camera:
        received = camera.subscribe("/tf", TransformStamped, qos=100)

        def show(image: ImageArray, people: int) -> dict[str, float]:
            """Send images until one has frames of so many; return x of all in m, by name."""
            received.clear()
            before = Time()
            for _ in range(60):
                stamp = camera.ask(running.image(image)).header.stamp
                camera.spin(0.05)  # the frames of the image before are here; now they are handled
                shown = [item for item in received if item.header.stamp == before]
                if len(shown) == people:
                    return {item.child_frame_id: item.transform.translation.x for item in shown}
                before = stamp
            pytest.fail(f"only {by_stamp(received)}")

        x_m = show(pair, people=2)
        assert x_m.keys() == {"person_1", "person_2"}
        on_the_left = min(x_m, key=lambda name: x_m[name])
        assert show(alone, people=1).keys() == {on_the_left}


def by_stamp(received: list[TransformStamped]) -> dict[int, list[str]]:
    """Return the names of the frames of each image."""
    found = defaultdict(list)
    for item in received:
        found[stamp_to_ns(item.header.stamp)].append(item.child_frame_id)
    return found


def is_unknown(cloud: PointCloud2) -> bool:
    """Whether nothing is known of the people's positions in the frame that was asked for."""
    assert cloud.header.frame_id == "map"
    people = landmarks_from_msg(cloud)
    assert len(people.points) == 1
    return bool(np.isnan(people.xyz).all())


@pytest.mark.parametrize("camera", [{"target_frame": "map"}], indirect=True)
def test_positions_are_in_the_target_frame_or_unknown(camera: Client) -> None:
    """The transform comes late, and is forgotten when time jumps."""
    transforms = camera.node.create_publisher(TransformStamped, "/tf", 10)
    start_ns = running.FIRST_NS
    assert is_unknown(camera.ask(running.image(PERSON, start_ns)))
    markers = camera.subscribe("markers")
    camera.until(transforms.get_subscription_count, "the node's subscription to /tf")

    def warns(status: DiagnosticStatus) -> bool:
        camera.publish(running.image(PERSON, start_ns))
        return bool(
            status.level == DiagnosticStatus.WARN and "'map'" in status.message and markers
        )

    camera.status(warns, "a warning of the missing transform, and messages without markers")
    assert not any(message.markers for message in markers)
    stamp = running.header(start_ns + 10**9).stamp
    transforms.publish(placed("map", running.FRAME_ID, 10.0, stamp))
    numbers = itertools.count(1)

    def located() -> PointCloud2 | None:
        cloud = camera.ask(running.image(PERSON, start_ns + next(numbers) * running.FRAME_NS))
        return None if is_unknown(cloud) else cloud

    moved = camera.until(located, "positions in the target frame")
    assert np.nanmin(landmarks_from_msg(moved).xyz[..., 0]) > 7.0
    camera.until(lambda: markers[-1].markers, "markers")
    # the transform of the future must not be used for the past
    assert is_unknown(camera.ask(running.image(PERSON, start_ns - HOUR_NS)))
    camera.until(lambda: {m.action for m in markers[-1].markers} == {Marker.DELETE}, "deletion")
    lines = camera.process.lines
    running.until(lambda: len(lines("no transform from frame")) == 2, "the warning, once again")


@pytest.mark.parametrize("camera", [{"publish_tf": True}], indirect=True)
def test_tf_of_a_mirror_image_is_that_of_the_real_world(camera: Client) -> None:
    received = camera.subscribe("/tf", TransformStamped, qos=100)

    def person(rgb: ImageArray) -> list[float]:
        camera.reset()
        received.clear()

        def is_sent() -> bool:
            camera.publish(running.image(rgb))
            return bool(received)

        camera.until(is_sent, "a transform")
        pose = received[0].transform
        turn, position = pose.rotation, pose.translation
        return [position.x, position.y, position.z, turn.x, turn.y, turn.z, turn.w]

    camera.stream(PERSON, lambda: received, "a transform", 0.1)
    camera.wait_until_idle()
    plain = person(PERSON)
    camera.wait_until_idle()
    assert camera.set(mirrored_input=True).successful
    selfie = person(np.ascontiguousarray(PERSON[:, ::-1]))
    np.testing.assert_allclose(selfie, plain, atol=1e-3)


OF_DEPTH = {
    "publish_tf": True,
    "tf_landmarks": True,
    "model": "upper_body",
    "position_source": "depth",
    "mirrored_input": True,
}


@pytest.mark.parametrize("camera", [OF_DEPTH], indirect=True)
def test_tf_of_a_mirror_image_with_depth_is_that_of_the_real_world(camera: Client) -> None:
    """Each landmark's frame is on the ray of the real pixel, W - 1 - u, where depth measures."""
    received = camera.subscribe("/tf", TransformStamped, qos=200)
    depth = rgbd_camera.mirrored_slope(*PERSON.shape[:2])
    depths = camera.node.create_publisher(Image, "depth", 10)

    def located() -> Landmarks | None:
        message = running.image(np.ascontiguousarray(PERSON[:, ::-1]))
        depth.header = message.header
        depths.publish(depth)
        found = camera.landmarks(message)
        return found if np.isfinite(found.xyz).any() else None

    found = camera.until(located, "positions from depth")
    slope_m = dict(
        zip(UPPER_BODY.names, rgbd_camera.slope_points_m(INFO, found.pixels[0]), strict=True)
    )
    camera.until(lambda: len(of_landmarks(received, depth.header.stamp)) > 10, "frames")
    for name, position_m in of_landmarks(received, depth.header.stamp).items():
        np.testing.assert_allclose(position_m, slope_m[name], atol=0.02)


def of_landmarks(
    received: list[TransformStamped], stamp: Time
) -> dict[str, tuple[float, float, float]]:
    """The positions of the landmarks' frames of an image, by name."""
    found = {}
    for item in received:
        _, is_landmark, name = item.child_frame_id.partition("/")
        if is_landmark and item.header.stamp == stamp:
            shift = item.transform.translation
            found[name] = (shift.x, shift.y, shift.z)
    return found


@pytest.mark.parametrize("camera", [{"publish_tf": True}], indirect=True)
@pytest.mark.parametrize(
    ("frame_id", "start_ns", "text"),
    [("", running.FIRST_NS, "empty frame_id"), (running.FRAME_ID, -(10**12), "is negative")],
    ids=["no frame_id", "negative stamp"],
)
def test_what_tf_does_not_take_is_not_sent(
    camera: Client, frame_id: str, start_ns: int, text: str
) -> None:
    received = camera.subscribe("/tf", TransformStamped, qos=100)
    camera.until(camera.images_matched, "the node's image subscription")
    for number in range(10):
        message = running.image(PERSON, start_ns + number * running.FRAME_NS)
        message.header.frame_id = frame_id
        camera.publish(message)
        camera.spin(0.1)
    camera.process.wait_for_line(text)
    assert received == []
    camera.stream(PERSON, lambda: received, "a transform", 0.1)
    assert len(camera.process.lines(text)) == 1
    assert {item.header.frame_id for item in received} == {running.FRAME_ID}
    assert all(item.header.stamp.sec > 0 for item in received)
