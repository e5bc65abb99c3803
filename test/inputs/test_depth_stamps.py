"""Depth images whose stamps contradict those of the images: the real node uses none wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import rgbd_camera
import running
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import FRAME_NS, Client
from sensor_msgs.msg import CameraInfo, Image

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]
START_NS = running.FIRST_NS + 10**13
SLOP_NS = 50_000_000
MS = 1_000_000
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass
class Camera:
    """A client that sends images, and depth images of one distance each."""

    client: Client
    depths: Publisher
    sent: list[tuple[int, float]] = field(default_factory=list)
    """Stamp and distance in m of each depth image."""

    def send_depth(self, stamp_ns: int, distance_m: float) -> None:
        depth = running.raw("16UC1", np.full((HEIGHT, WIDTH), round(distance_m * 1000), "<u2"))
        depth.header = running.header(stamp_ns)
        self.depths.publish(depth)
        self.sent.append((stamp_ns, distance_m))

    def distance_m(self, stamp_ns: int) -> float | None:
        """The distance that an image gets from its depth; None if it gets none."""
        found = self.client.landmarks(running.image(PERSON, stamp_ns))
        (z_m,) = found.xyz[..., 2]
        known_m = set(np.round(z_m[np.isfinite(z_m)].astype(float), 3).tolist())
        assert len(known_m) <= 1
        return known_m.pop() if known_m else None

    def right_m(self, stamp_ns: int) -> set[float | None]:
        """The distances that belong to an image: unknown, or of depth with a stamp near to it."""
        near = (item for item in self.sent if abs(item[0] - stamp_ns) <= SLOP_NS)
        return {None} | {distance_m for _, distance_m in near}


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Iterator[Camera]:
    """A node that has located somebody, an hour before `START_NS`."""
    options = running.parameters(position_source="depth", depth_slop_s=request.param)
    with running.node_and_client(*options) as client:
        infos = client.node.create_publisher(CameraInfo, "camera_info", LATCHED)
        infos.publish(rgbd_camera.calibration(HEIGHT, WIDTH))
        made = Camera(client, client.node.create_publisher(Image, "depth", 10))

        def is_located() -> bool:
            stamp_ns = START_NS - 3600 * 10**9 + len(made.sent) * FRAME_NS
            made.send_depth(stamp_ns, 5.0)
            return made.distance_m(stamp_ns) is not None

        client.until(is_located, "a position")
        yield made


# What waits for depth images that come later in the same queue is sure that the first ones came.
WAITING = pytest.mark.parametrize("camera", [1.0], indirect=True, ids=["waiting"])
USUAL = pytest.mark.parametrize("camera", [SLOP_NS / 1e9], indirect=True, ids=["usual"])


@WAITING
def test_of_two_depth_images_with_one_stamp_the_newest_is_used(camera: Camera) -> None:
    for late_ns, distance_m in ((0, 1.0), (0, 2.0), (40 * MS, 3.0)):
        camera.send_depth(START_NS + late_ns, distance_m)
    assert camera.distance_m(START_NS + 10 * MS) == 2.0


@WAITING
def test_depth_images_that_are_out_of_order_are_all_used(camera: Camera) -> None:
    distances_m = [1.0, 2.0, 3.0, 4.0]
    for number in (0, 2, 1, 3):
        camera.send_depth(START_NS + number * FRAME_NS, distances_m[number])
    found_m = {number: camera.distance_m(START_NS + number * FRAME_NS) for number in (3, 0, 1, 2)}
    assert [found_m[number] for number in range(4)] == distances_m


CLOCKS: dict[str, tuple[Callable[[int], int], str]] = {
    "zero": (lambda time_ns: 0, "behind"),
    "at half the rate": (lambda time_ns: START_NS + time_ns // 2, "behind"),
    "us as ns": (lambda time_ns: START_NS + time_ns // 1000, "behind"),
    "at twice the rate": (lambda time_ns: START_NS + 2 * time_ns, "ahead"),
}


@USUAL
@pytest.mark.parametrize("clock", CLOCKS)
def test_depth_of_another_clock_gives_no_wrong_number_and_one_report(
    camera: Camera, clock: str
) -> None:
    stamp_ns, word = CLOCKS[clock]

    def is_reported() -> bool:
        number = len(camera.sent)
        camera.send_depth(stamp_ns(number * FRAME_NS), 1.0 + 0.001 * number)
        image_ns = START_NS + number * FRAME_NS
        assert camera.distance_m(image_ns) in camera.right_m(image_ns)
        return bool(camera.client.process.lines("depth_slop_s"))

    camera.client.until(is_reported, "a report")
    for _ in range(10):
        is_reported()
    (line,) = camera.client.process.lines("depth_slop_s")
    assert word in line


@pytest.mark.parametrize("camera", [0.02], indirect=True, ids=["short"])
def test_a_frame_counter_as_stamp_gives_each_image_its_own_depth(camera: Camera) -> None:
    """Every other depth image is missing: that of the next image is no substitute."""
    found_m: dict[int, float | None] = {}
    own_m: dict[int, float] = {}

    def is_enough() -> bool:
        """Send one image more; return whether ten had their depth. On a busy machine few do."""
        number = len(found_m)
        if number % 2:
            own_m[number] = 1.0 + 0.001 * number
            camera.send_depth(START_NS + number, own_m[number])
        found_m[number] = camera.distance_m(START_NS + number)
        return sum(value is not None for value in found_m.values()) >= 10

    camera.client.until(is_enough, "images with depth")
    assert all(found_m[number] in (own_m.get(number), None) for number in found_m)
    (line,) = camera.client.process.lines("advance too slowly")
    assert "1e+09 Hz" in line
