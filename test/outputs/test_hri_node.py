"""The node with `publish_hri`, over DDS: rejected without hri_msgs; with a stand-in for it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import hri
import numpy as np
import pytest
import rgbd_camera
import running
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import Client
from sensor_msgs.msg import CameraInfo, Image, JointState

from outputs.test_tf import HAS_TF2
from pose_ros.inputs.images import rgb_from_image

(PERSON,) = running.person()
PAIR = np.hstack((PERSON, PERSON[:, ::-1]))
BODIES = "/humans/bodies"
TYPES = {
    "roi": hri.message_type("NormalizedRegionOfInterest2D"),
    "cropped": Image,
    "skeleton2d": hri.message_type("Skeleton2D"),
    "joint_states": JointState,
}


@hri.WITHOUT_HRI_MSGS
def test_a_node_that_needs_hri_msgs_does_not_start_without_it() -> None:
    with running.node_process(*running.parameters(publish_hri=True)) as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert "publish_hri" in line
        assert "hri_msgs" in line
        assert "Traceback" not in process.output


@hri.WITHOUT_HRI_MSGS
def test_it_is_rejected_while_the_node_runs_without_hri_msgs(pose: Client) -> None:
    result = pose.set(publish_hri=True)
    assert not result.successful
    assert "hri_msgs" in result.reason
    assert pose.get("publish_hri") is False


@pytest.fixture(scope="module")
def node() -> Iterator[Client]:
    """A node with a calibrated camera; landmarks count that are not visible."""
    options = {"model": "lite", "max_persons": 2, "min_visibility": 0.0, "publish_hri": True}
    with pytest.MonkeyPatch.context() as patch:
        if not (hri.HAS_HRI_MSGS and HAS_TF2):
            patch.setenv("PYTHONPATH", hri.python_path())
        with running.node_and_client(*running.parameters(**options)) as client:
            latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            info = rgbd_camera.calibration(*PAIR.shape[:2])
            client.node.create_publisher(CameraInfo, "camera_info", latched).publish(info)
            client.until(client.images_matched, "the node's image subscription")
            yield client


def tracked(node: Client, image: Any, count: int) -> list[str]:
    """Send an image until so many bodies are listed; return their ids."""
    received = node.subscribe(f"{BODIES}/tracked", hri.message_type("IdsList"))
    received.clear()

    def found() -> list[str] | None:
        lists = [hri.fields(message)["ids"] for message in received]
        return next(([*ids, ""] for ids in lists if len(ids) == count), None)

    return node.stream(image, found, f"a list of {count} bodies", 0.1)[:-1]


def below(node: Client, name: str) -> dict[str, list[Any]]:
    """Subscribe to all topics of a body."""
    return {
        topic: node.subscribe(f"{BODIES}/{name}/{topic}", kind) for topic, kind in TYPES.items()
    }


def topics_of(node: Client) -> set[str]:
    """The ids of all bodies that have topics with a publisher."""
    names = [name for name, _ in node.node.get_topic_names_and_types() if name.startswith(BODIES)]
    published = [name.split("/") for name in names if node.node.count_publishers(name)]
    return {parts[3] for parts in published if len(parts) == 5}


def test_two_bodies_have_topics_each(node: Client) -> None:
    names = tracked(node, PAIR, 2)
    assert all(name.startswith("p") for name in names)
    received = {name: below(node, name) for name in names}
    everything = [messages for body in received.values() for messages in body.values()]
    node.stream(PAIR, lambda: all(everything), "all topics of both bodies", 0.1)
    for name, body in received.items():
        region = hri.fields(body["roi"][-1])
        assert 0 <= region["xmin"] < region["xmax"] <= 1
        assert len(hri.fields(body["skeleton2d"][-1])["skeleton"]) == 18
        assert {item.removesuffix(f"_{name}") for item in body["joint_states"][-1].name} >= {
            *("waist", "l_elbow", "r_knee", "y_head")
        }
        image = rgb_from_image(body["cropped"][-1])
        width = (region["xmax"] - region["xmin"]) * PAIR.shape[1]
        assert abs(image.shape[1] - width) < 20
        assert {message.header.frame_id for message in body["roi"]} == {running.FRAME_ID}


def test_topics_of_who_has_left_are_gone_and_nobody_is_listed(node: Client) -> None:
    names = tracked(node, PAIR, 2)
    node.stream(PAIR, lambda: topics_of(node) >= {*names}, "topics of both", 0.1)
    assert tracked(node, running.black(), 0) == []
    node.stream(running.black(), lambda: not topics_of(node), "no topics of bodies", 0.1)


def tf_type() -> Any:
    """What is on /tf: with the real tf2_ros its own message, else what the stand-in sends."""
    return importlib.import_module("tf2_msgs.msg").TFMessage if HAS_TF2 else TransformStamped


def transforms_of(message: Any) -> list[TransformStamped]:
    return [message] if isinstance(message, TransformStamped) else [*message.transforms]


def test_bodies_are_frames_on_tf(node: Client) -> None:
    received = node.subscribe("/tf", tf_type(), qos=100)
    received.clear()
    node.stream(PAIR, lambda: received, "a frame", 0.1)
    found = [transform for message in received for transform in transforms_of(message)]
    assert {item.header.frame_id for item in found} == {running.FRAME_ID}
    assert all(item.child_frame_id.startswith("body_p") for item in found)


def test_it_ends_and_begins_live(node: Client) -> None:
    tracked(node, PAIR, 2)
    topic = f"{BODIES}/tracked"
    assert node.set(publish_hri=False).successful
    node.until(lambda: not node.node.count_publishers(topic), "the end of the topics")
    assert node.set(publish_hri=True).successful
    assert len(tracked(node, PAIR, 2)) == 2


def test_without_subscribers_there_is_no_work(node: Client) -> None:
    tracked(node, PAIR, 2)
    node.unsubscribe()

    def is_idle(status: DiagnosticStatus) -> bool:
        return "nobody subscribed" in status.message

    node.status(is_idle, "no subscribers")
    assert len(tracked(node, PAIR, 2)) == 2
