"""The target of the running node, over DDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import rgbd_camera
import running
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import Client
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import Trigger

from outputs.test_tf import STAND_IN
from pose_ros.client import people_from_msg

(PERSON,) = running.person()
PAIR = np.hstack((PERSON, PERSON[:, ::-1]))
OUTPUTS = ("people", "target", "target/odometry")


@contextmanager
def started(height: int, width: int, **options: Any) -> Iterator[Client]:
    """A node with a calibrated camera."""
    with running.node_and_client(*running.parameters(**{"model": "lite", **options})) as client:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        info = rgbd_camera.calibration(height, width)
        client.node.create_publisher(CameraInfo, "camera_info", latched).publish(info)
        yield client


@pytest.fixture(scope="module")
def pair() -> Iterator[Client]:
    """A node that follows the nearest of two people, and its subscriber."""
    with started(*PAIR.shape[:2], max_persons=2, hold_time_s=1.0, follow="nearest") as client:
        client.listen("people")
        for name in OUTPUTS:
            client.subscribe(name)
        yield client


def show(camera: Client, image: Any = PAIR) -> Any:
    """Send an image; return its message of people, after which those of a target come."""
    return people_from_msg(camera.ask(running.image(image), "people"))


def target(camera: Client) -> int:
    """Send images until one has a target and two people; return the target's id."""

    def found() -> int | None:
        people = show(camera)
        is_target = people.is_target
        return int(people.person_id[is_target][0]) if len(is_target) == 2 and any(is_target) else 0

    return camera.until(found, "a target")


def fact(status: DiagnosticStatus) -> str:
    values: dict[str, str] = {item.key: item.value for item in status.values}
    return values.get("target", "")


def test_the_target_is_published_with_the_header_of_positions(pair: Client) -> None:
    number = target(pair)
    poses, odometry = pair.subscribe("target"), pair.subscribe("target/odometry")
    message = running.image(PAIR)
    found = people_from_msg(pair.ask(message, "people"))
    pair.until(lambda: poses and poses[-1].header == message.header, "the pose")
    pair.until(lambda: odometry and odometry[-1].header == message.header, "the odometry")
    position = poses[-1].pose.position
    xyz = found.xyz[found.person_id == number][0]
    np.testing.assert_allclose((position.x, position.y, position.z), xyz, atol=1e-5)
    assert odometry[-1].pose.pose == poses[-1].pose
    pair.status(lambda status: fact(status) == f"person {number}", "the target")


def test_another_person_is_the_target_on_request(pair: Client) -> None:
    first = target(pair)
    assert pair.call("next_target", Trigger.Request()).success
    second = target(pair)
    assert second != first
    assert pair.call("next_target", Trigger.Request()).success
    assert target(pair) == first


def test_nobody_is_the_target_after_a_release(pair: Client) -> None:
    target(pair)
    assert pair.call("release_target", Trigger.Request()).success
    pair.wait_until_idle()
    show(pair)
    pair.subscribe("target").clear()
    for _ in range(5):
        assert not show(pair).is_target.any()
    pair.status(lambda status: "released" in fact(status), "a released target")
    assert pair.subscribe("target") == []
    assert pair.call("next_target", Trigger.Request()).success
    assert target(pair)


def test_nothing_is_published_of_a_target_that_is_lost_and_the_reason_is_reported(
    pair: Client,
) -> None:
    number = target(pair)
    nobody = np.full_like(PAIR, 110)
    for _ in range(40):
        show(pair, nobody)
    pair.wait_until_idle()
    pair.subscribe("target").clear()
    show(pair, nobody)
    status = pair.status(lambda status: "lost since" in fact(status), "a lost target")
    assert "nobody is tracked" in fact(status)
    assert pair.subscribe("target") == []
    assert target(pair) > number


def test_without_follow_there_is_no_target(pair: Client) -> None:
    assert pair.set(follow="none").successful
    try:
        running_with_none(pair)
    finally:
        assert pair.set(follow="nearest").successful
    assert target(pair)


def test_with_gestures_nobody_is_followed_who_does_not_ask_for_it(pair: Client) -> None:
    assert pair.set(follow="gesture").successful
    try:
        pair.until(lambda: not show(pair).is_target.any(), "nobody to be followed")
        pair.status(lambda status: "nobody waves" in fact(status), "the reason")
        assert pair.call("next_target", Trigger.Request()).success
        assert target(pair)
    finally:
        assert pair.set(follow="nearest").successful


def running_with_none(pair: Client) -> None:
    show(pair)
    assert not show(pair).is_target.any()
    pair.status(lambda status: fact(status) == "none: follow is none", "no target")
    for name in ("next_target", "release_target"):
        response = pair.call(name, Trigger.Request())
        assert not response.success
        assert "follow is none" in response.message
    result = pair.set(follow="anybody")
    assert not result.successful
    assert "'anybody'" in result.reason
    assert "nearest" in result.reason


def test_the_target_is_a_frame_on_tf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    with started(*PERSON.shape[:2], publish_tf=True, follow="center") as camera:
        received = camera.subscribe("/tf", TransformStamped, qos=100)

        def names() -> set[str]:
            camera.publish(running.image(PERSON))
            return {item.child_frame_id for item in received}

        camera.until(lambda: {"person_1", "target_person"} <= names(), "both frames")
        assert {item.header.frame_id for item in received} == {running.FRAME_ID}


def test_there_is_no_work_for_a_target_that_nobody_subscribed_to() -> None:
    with started(*PERSON.shape[:2], follow="nearest") as camera:
        camera.listen("landmarks")
        for _ in range(5):
            camera.ask(running.image(PERSON))
        camera.status(lambda status: "no image was processed for it" in fact(status), "no target")
        camera.listen("people")
        camera.until(lambda: show(camera, PERSON).is_target.any(), "a target")
        camera.status(lambda status: fact(status).startswith("person "), "the target")
