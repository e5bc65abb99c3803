"""No calibration comes: the running node says so once, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rgbd_camera
import running
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import Client
from sensor_msgs.msg import CameraInfo, Image

from pose_ros.client import landmarks_from_msg

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]
IMAGE_TOPIC = "/camera/color/image_raw"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def node_arguments(**parameters: Any) -> list[str]:
    """A node with a model that knows meters, and only the image topic remapped."""
    values = {"model": "lite", "no_image_timeout_s": 1.0, **parameters}
    return [*running.parameters(**values), "-r", f"image:={IMAGE_TOPIC}"]


def streamed(client: Client, is_met: Callable[[DiagnosticStatus], bool]) -> DiagnosticStatus:
    """Stream images until diagnostics meet a condition, as slowly as any machine can process."""
    reports = client.subscribe("/diagnostics", DiagnosticArray)
    reports.clear()

    def found() -> DiagnosticStatus | None:
        statuses = (report.status[0] for report in reports)
        return next(filter(is_met, statuses), None)

    return client.stream(PERSON, found, "diagnostics", 0.3)


def warned(client: Client, words: str) -> DiagnosticStatus:
    """Stream images until diagnostics warn of something."""
    return streamed(
        client, lambda status: status.level == DiagnosticStatus.WARN and words in status.message
    )


@pytest.mark.parametrize(
    ("published", "named"),
    [
        (["/camera/color/camera_info", "/other"], "/camera/color/camera_info"),
        (["/other", "/camera/other"], "/camera/other, /other"),
    ],
    ids=["beside the image", "elsewhere"],
)
def test_a_forgotten_remap_of_camera_info_is_named(published: list[str], named: str) -> None:
    with running.node_and_client(*node_arguments(), image_topic=IMAGE_TOPIC) as client:
        for topic in published:
            client.node.create_publisher(CameraInfo, topic, 1)
        client.listen("landmarks")
        status = warned(client, f"there is camera_info on {named}")
        silent = "no camera_info on /camera_info for 1 s: nobody publishes there"
        assert silent in status.message
        assert "positions stay unknown" in status.message
        infos = client.node.create_publisher(CameraInfo, "/camera_info", 1)

        def is_well(status: DiagnosticStatus) -> bool:
            infos.publish(rgbd_camera.calibration(HEIGHT, WIDTH))
            return "no camera_info" not in status.message

        streamed(client, is_well)
        assert len(client.process.lines("no camera_info")) == 1


def test_a_silent_publisher_of_camera_info_is_named() -> None:
    arguments = node_arguments(position_source="depth")
    with running.node_and_client(*arguments, image_topic=IMAGE_TOPIC) as client:
        client.node.create_publisher(CameraInfo, "/camera_info", 1)
        client.node.create_publisher(Image, "/depth", 1)
        client.listen("landmarks")
        named = "/client (sensor_msgs/msg/CameraInfo, reliable, volatile)"
        status = warned(client, named)
        assert "no camera_info on /camera_info for 1 s" in status.message


@pytest.mark.parametrize("parameters", [{"position_source": "none"}, {"model": "upper_body"}])
def test_camera_info_is_not_missed_where_it_gives_no_positions(parameters: Any) -> None:
    arguments = node_arguments(**parameters)
    with running.node_and_client(*arguments, image_topic=IMAGE_TOPIC) as client:
        client.listen("landmarks")
        clouds = client.subscribe("landmarks")
        client.stream(PERSON, lambda: len(clouds) > 30, "three seconds of landmarks", 0.1)
        assert not client.process.lines("no camera_info")


def test_camera_info_that_was_sent_once_and_latched_gives_positions() -> None:
    arguments = node_arguments(autostart=False)
    with running.node_and_client(*arguments, image_topic=IMAGE_TOPIC) as client:
        infos = client.node.create_publisher(CameraInfo, "/camera_info", LATCHED)
        infos.publish(rgbd_camera.calibration(HEIGHT, WIDTH))
        client.bring_up()
        clouds = client.subscribe("landmarks")

        def is_located() -> bool:
            return bool(clouds) and bool(np.isfinite(landmarks_from_msg(clouds[-1]).xyz).any())

        client.stream(PERSON, is_located, "positions", 0.1)
        before = client.process.lines("no camera_info")  # its publisher may have been found late
        clouds.clear()
        client.stream(PERSON, lambda: len(clouds) > 30, "three seconds of landmarks", 0.1)
        assert is_located()
        assert client.process.lines("no camera_info") == before
