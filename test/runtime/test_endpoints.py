"""Ends of a topic that do not find each other: the running node says why."""

from __future__ import annotations

from typing import Any

import clock
import pytest
import running
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.runtime import endpoints
from pose_ros.runtime.endpoints import (
    NAME_S,
    UNNAMED,
    describe_request,
    multiple_publishers_warning,
    no_message_warning,
    shared_output_warning,
    type_name,
    warn_when_named,
)

(PERSON,) = running.person()
NAMED = {"node_name": "camera", "node_namespace": "/robot"}
NAMELESS = {"node_name": "_NODE_NAME_UNKNOWN_", "node_namespace": "_NODE_NAMESPACE_UNKNOWN_"}


def publisher(**name: Any) -> TopicEndpointInfo:
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    return TopicEndpointInfo(topic_type="sensor_msgs/msg/Image", qos_profile=qos, **name)


def test_a_node_is_named_or_said_to_have_no_known_name() -> None:
    both = [publisher(**NAMED), publisher(**NAMELESS)]
    texts = [
        no_message_warning("no image", both, "images"),
        multiple_publishers_warning("/image", both),
        shared_output_warning("/image", both),
    ]
    for text in texts:
        assert "/robot/camera" in text
        assert UNNAMED in text
        assert "UNKNOWN" not in text


@pytest.mark.parametrize("case", ["named later", "never named", "gone"])
def test_a_warning_waits_for_names_but_not_for_ever(
    case: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = clock.install(monkeypatch, endpoints)
    later = {"named later": NAMED, "never named": NAMELESS}
    looks = [[publisher(**NAMELESS)]] * 2
    looks.append([publisher(**later[case])] if case in later else [])
    with running.local_node() as node:
        executor = SingleThreadedExecutor(context=node.context)
        executor.add_node(node)

        def find() -> list[TopicEndpointInfo]:
            if len(looks) == 1:
                steady.advance(NAME_S)
            return looks.pop(0)

        warn_when_named(node, find, lambda found: multiple_publishers_warning("/image", found))

        def has_looked() -> bool:
            executor.spin_once(timeout_sec=0.1)
            return not looks

        running.until(has_looked, "three looks")
        executor.spin_once(timeout_sec=1.5)  # no fourth
        executor.shutdown()
    logged = capfd.readouterr().err
    expected = {"named later": "/robot/camera (", "never named": f"{UNNAMED} (", "gone": ""}[case]
    assert expected in logged
    assert logged.count("publishers on /image") == (case != "gone")


def test_type_and_qos_have_the_names_that_the_graph_has() -> None:
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    assert type_name(CompressedImage) == "sensor_msgs/msg/CompressedImage"
    assert describe_request(Image, qos) == "sensor_msgs/msg/Image, best_effort, volatile"


def test_the_warning_names_publishers_that_do_not_fit() -> None:
    arguments = running.parameters(no_image_timeout_s=0.5, qos_reliability="reliable")
    with running.node_and_client(*arguments, image_topic="/elsewhere") as client:
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        client.node.create_publisher(Image, "/image", best_effort)
        status = client.status(lambda status: "/client" in status.message, "a name")
        assert status.message == (
            "no image on /image for 0.5 s, though it has publishers: "
            "/client (sensor_msgs/msg/Image, best_effort, volatile); "
            "this node requests sensor_msgs/msg/Image, reliable, volatile"
        )
        line = client.process.wait_for_line("incompatible QoS: reliability")
        assert "publisher of /image: this node requests reliable, volatile" in line
        assert "/client (sensor_msgs/msg/Image, best_effort, volatile)" in line
        assert not client.process.lines("offering incompatible QoS")  # rclpy's own line


def test_a_subscriber_that_requests_more_than_is_offered_is_logged() -> None:
    with running.node_and_client() as client:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.subscribe("landmarks", qos=latched)
        line = client.process.wait_for_line("incompatible QoS: durability")
        assert "subscriber of /pose/landmarks: this node offers reliable, volatile" in line
        assert "/client (sensor_msgs/msg/PointCloud2, reliable, transient_local)" in line


REMEDIES = {
    "only compressed": ("/camera", "raw", "/camera/compressed", CompressedImage, "compressed"),
    "compressed as raw": (
        "/camera/compressed",
        "raw",
        "/camera/compressed",
        CompressedImage,
        "compressed",
    ),
    "suffix twice": (
        "/camera/compressed",
        "compressed",
        "/camera/compressed",
        CompressedImage,
        "compressed",
    ),
    "only raw": ("/camera", "compressed", "/camera", Image, "raw"),
}


@pytest.mark.parametrize("case", REMEDIES)
def test_the_warning_names_the_settings_with_which_there_are_images(case: str) -> None:
    image, transport, published, sent, remedy = REMEDIES[case]
    chosen = running.parameters(no_image_timeout_s=0.5, image_transport=transport)
    with running.node_and_client(
        *chosen, "-r", f"image:={image}", image_topic=published, image_type=sent
    ) as client:
        status = client.status(lambda status: "there are images" in status.message, "a remedy")
        words = f"there are images with image_transport:={remedy} image:=/camera"
        assert status.message.endswith(words)


def test_compressed_images_on_a_topic_of_raw_ones_are_logged() -> None:
    arguments = running.parameters(no_image_timeout_s=0.5)
    with running.node_and_client(*arguments, image_type=CompressedImage) as client:
        found = "/client (sensor_msgs/msg/CompressedImage, reliable, volatile)"
        status = client.status(lambda status: found in status.message, "a publisher with its name")
        assert "this node requests sensor_msgs/msg/Image" in status.message
        remedy = "image_transport:=compressed takes CompressedImage from /image/compressed"
        assert status.message.endswith(remedy)


def pairs(status: DiagnosticStatus) -> list[tuple[str, str]]:
    return [(item.key, item.value) for item in status.values]


def test_two_publishers_on_the_topic_are_logged_and_images_processed() -> None:
    with running.node_and_client() as client:
        client.node.create_publisher(Image, "/image", 1)

        def at_work(status: DiagnosticStatus) -> bool:
            client.publish(running.image(PERSON))
            return bool("2 publishers" in status.message and ("persons", "1") in pairs(status))

        client.listen("landmarks")
        status = client.status(at_work, "two publishers")
        assert status.level == DiagnosticStatus.WARN
        assert status.message.startswith("2 publishers on /image, where one camera is expected: ")
        client.process.wait_for_line("2 publishers on /image")  # later, when both have names
        assert len(client.process.lines("2 publishers on /image")) == 1
