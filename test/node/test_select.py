"""Who is tracked of two people by the depth camera: the real node, over DDS.

The two are a person and the mirror image of the same person, equal in size, so that only the
distance decides who is tracked. Nobody subscribes to anything that has positions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import rgbd_camera
import running
from rclpy.publisher import Publisher
from running import Client
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker

from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()
PAIR = np.hstack((PERSON, PERSON[:, ::-1]))
HEIGHT, WIDTH = PAIR.shape[:2]
STEP_NS = 100_000_000
IMAGES = 150
"""Of 0.1 s; a replacement takes two or three seconds."""


@dataclass
class Camera:
    """A client that sends calibration and depth before each image."""

    client: Client
    infos: Publisher
    depths: Publisher
    stamps_ns: Iterator[int] = field(
        default_factory=lambda: itertools.count(running.FIRST_NS + 10**12, STEP_NS)
    )

    def tracks_left(self, left_mm: int, right_mm: int) -> bool | None:
        """Send one image of the two; return whether the left one is tracked, None if nobody is."""
        message = running.image(PAIR, next(self.stamps_ns))
        depth_mm = np.full((HEIGHT, WIDTH), left_mm, "<u2")
        depth_mm[:, WIDTH // 2 :] = right_mm
        depth = running.raw("16UC1", depth_mm)
        depth.header = running.header(stamp_to_ns(message.header.stamp))
        self.infos.publish(rgbd_camera.calibration(HEIGHT, WIDTH))
        self.depths.publish(depth)
        shown = self.client.ask(message, "roi_markers", accept=lambda _: True).markers
        rois = [marker for marker in shown if marker.action == Marker.ADD and marker.ns == "roi"]
        return rois[0].points[0].x < 0 if rois else None

    def wait_until_left_is(self, is_left: bool, left_mm: int, right_mm: int) -> None:
        """Send images until the one on that side is tracked, and then more: it stays."""
        sides = (self.tracks_left(left_mm, right_mm) for _ in range(IMAGES))
        assert is_left in sides
        assert [self.tracks_left(left_mm, right_mm) for _ in range(20)] == [is_left] * 20


@pytest.fixture
def camera() -> Iterator[Camera]:
    arguments = running.parameters(
        model="lite", select="nearest", position_source="depth", depth_slop_s=1.0
    )
    with running.node_and_client(*arguments) as client:
        infos = client.node.create_publisher(CameraInfo, "camera_info", 1)
        depths = client.node.create_publisher(Image, "depth", 1)
        client.listen("roi_markers")
        client.until(infos.get_subscription_count, "the subscription to camera_info")
        yield Camera(client, infos, depths)


def test_the_nearest_is_tracked_and_another_one_once_nearer(camera: Camera) -> None:
    camera.wait_until_left_is(True, left_mm=2000, right_mm=4000)
    camera.wait_until_left_is(False, left_mm=4000, right_mm=2000)
    camera.wait_until_left_is(True, left_mm=2000, right_mm=4000)
    assert camera.client.set(select="sticky").successful
    assert [camera.tracks_left(4000, 2000) for _ in range(30)] == [True] * 30
