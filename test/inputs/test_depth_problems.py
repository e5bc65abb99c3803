"""Depth that is silent or useless: reported once by the real node, and images go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import rgbd_camera
import running
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.publisher import Publisher
from running import Client
from sensor_msgs.msg import CameraInfo, Image

from pose_ros.client import Landmarks
from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]
SECOND_NS = 10**9


@dataclass
class Camera:
    """A client that sends calibration and depth before each image."""

    client: Client
    infos: Publisher
    depths: Publisher
    depth_mm: int = 2000
    late_ns: int = 0

    def landmarks(self) -> Landmarks:
        """Send one image with its depth; return its landmarks."""
        message = running.image(PERSON)
        depth_mm = np.full((HEIGHT, WIDTH), self.depth_mm, "<u2")
        depth = running.raw("16UC1", depth_mm)
        depth.header = running.header(stamp_to_ns(message.header.stamp) + self.late_ns)
        self.infos.publish(rgbd_camera.calibration(HEIGHT, WIDTH))
        self.depths.publish(depth)
        return self.client.landmarks(message)

    def wait_until_located(self) -> None:
        self.client.until(lambda: np.isfinite(self.landmarks().xyz).any(), "positions")

    def wait_for_warning(self, *words: str) -> str:
        """Send images until a warning is reported; expect it in the log once."""

        def is_reported(status: DiagnosticStatus) -> bool:
            self.landmarks()
            return status.level == DiagnosticStatus.WARN and words[0] in status.message

        message: str = self.client.status(is_reported, f"{words}").message
        assert all(word in message for word in words), message
        assert len(self.client.process.lines(words[0])) == 1
        return message


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Iterator[Camera]:
    arguments = getattr(request, "param", running.parameters(position_source="depth"))
    with running.node_and_client(*arguments) as client:
        infos = client.node.create_publisher(CameraInfo, "camera_info", 1)
        depths = client.node.create_publisher(Image, "depth", 1)
        client.listen("landmarks")
        client.until(infos.get_subscription_count, "the subscription to camera_info")
        yield Camera(client, infos, depths)


def test_depth_that_never_pairs_is_reported_and_no_longer_waited_for(camera: Camera) -> None:
    camera.wait_until_located()
    camera.late_ns = -10 * SECOND_NS
    camera.wait_for_warning("10 s behind", "/depth", "depth_slop_s is 0.05")
    assert camera.client.set(depth_slop_s=1.0).successful
    start_s = time.monotonic()
    for _ in range(40):
        camera.landmarks()
    assert time.monotonic() - start_s < 40  # a second for each, if they were waited for
    camera.late_ns = 0
    camera.wait_until_located()
    camera.client.status(lambda status: "behind" not in status.message, "no warning")


def test_depth_that_is_ahead_in_time_is_reported(camera: Camera) -> None:
    camera.late_ns = 20 * SECOND_NS
    camera.wait_for_warning("20 s ahead")


def test_depth_in_which_nothing_is_measured_is_reported(camera: Camera) -> None:
    camera.depth_mm = 0
    camera.wait_for_warning("are empty", "/depth")
    camera.depth_mm = 2000
    camera.wait_until_located()
    camera.client.status(lambda status: "are empty" not in status.message, "no warning")


AUTO = running.parameters(model="lite", no_image_timeout_s=1.0)
NAMED = [*AUTO, "-r", "depth:=/camera/aligned_depth_to_colour"]


@pytest.mark.parametrize("camera", [NAMED], indirect=True, ids=["named"])
def test_a_depth_topic_with_a_typing_error_is_reported(camera: Camera) -> None:
    camera.wait_for_warning("on /camera/aligned_depth_to_colour for 1 s: nobody publishes there")
    camera.wait_until_located()  # from world landmarks


@pytest.mark.parametrize("camera", [AUTO], indirect=True, ids=["auto"])
def test_depth_that_nobody_asked_for_is_not_missed(camera: Camera) -> None:
    camera.client.node.destroy_publisher(camera.depths)
    camera.depths = camera.client.node.create_publisher(Image, "elsewhere", 1)
    camera.wait_until_located()
    camera.client.spin(2.5)
    assert not camera.client.process.lines("/depth")
