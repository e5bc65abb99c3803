"""Depth images are taken apart by encoding, and paired with images by stamp."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
import running
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from running import FIRST_NS
from sensor_msgs.msg import Image

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import ImageError
from pose_ros.depth_input import DepthInput, depth_from_image
from pose_ros.parameters import NodeOptions

SIZE = ImageSize(4, 3)
SLOP_S = 0.05
MS = 1_000_000
DEPTHS_MM = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100


def depth(stamp_ns: int, value_mm: int = 1500, encoding: str = "16UC1") -> Image:
    message = running.raw(encoding, np.full((3, 4), value_mm, "<u2"))
    message.header = running.header(stamp_ns)
    return message


# What a message means


@pytest.mark.parametrize("padding", [0, 6])
def test_16uc1_is_in_millimetres(padding: int) -> None:
    found = depth_from_image(running.raw("16UC1", DEPTHS_MM.astype("<u2"), padding))
    np.testing.assert_allclose(found.values * found.metres_per_unit, DEPTHS_MM / 1000)


@pytest.mark.parametrize("padding", [0, 8])
def test_32fc1_is_in_metres(padding: int) -> None:
    depths_m = (DEPTHS_MM / 1000).astype("<f4")
    found = depth_from_image(running.raw("32FC1", depths_m, padding))
    np.testing.assert_array_equal(found.values * found.metres_per_unit, depths_m)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_byte_order_is_honoured(encoding: str) -> None:
    kind = ">u2" if encoding == "16UC1" else ">f4"
    message = running.raw(encoding, DEPTHS_MM.astype(kind))
    message.is_bigendian = 1
    np.testing.assert_array_equal(depth_from_image(message).values, DEPTHS_MM)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "rgb8"}, ["'rgb8'", "'16UC1'", "'32FC1'"]),
        ({"encoding": ""}, ["''", "'16UC1'"]),
        ({"step": 7}, ["step 7", "8 bytes"]),
        ({"width": 0}, ["0 x 3"]),
        ({"height": 100_000, "step": 200_000}, ["needs", "got 24"]),
    ],
)
def test_what_is_no_depth_is_refused_in_words(change: dict[str, Any], words: list[str]) -> None:
    message = depth(FIRST_NS)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ImageError) as error:
        depth_from_image(message)
    assert all(word in str(error.value) for word in words), str(error.value)


# Which one belongs to an image


class Camera:
    """A depth input of a node that is spun, and a publisher for it."""

    def __init__(self, node: Any, executor: Any, queue: int) -> None:
        self.node = node
        self.input = DepthInput(node, NodeOptions(depth_queue_size=queue, qos_depth=10))
        self.input.follow(is_wanted=True)
        self._publisher = node.create_publisher(Image, "depth", 10)
        self._executor = executor
        running.until(self._publisher.get_subscription_count, "the subscription")

    def send(self, *messages: Image) -> None:
        for message in messages:
            self._publisher.publish(message)
        stop_s = time.monotonic() + 0.15
        while time.monotonic() < stop_s:
            self._executor.spin_once(timeout_sec=0.02)

    def find_mm(self, stamp_ns: int, slop_s: float = SLOP_S) -> int | None:
        header = running.header(stamp_ns)
        found = self.input.find(header, SIZE, slop_s)
        return None if found is None else int(found.values[0, 0])


@pytest.fixture
def make() -> Iterator[Callable[..., Camera]]:
    with running.domain() as domain_id:
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        node = rclpy.create_node("depth_input_test", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        yield lambda queue=10: Camera(node, executor, queue)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_the_nearest_in_time_is_found(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(*(depth(FIRST_NS + i * 33 * MS, 1000 + i) for i in range(5)))
    assert camera.find_mm(FIRST_NS + 2 * 33 * MS) == 1002
    assert camera.find_mm(FIRST_NS + 2 * 33 * MS + 14 * MS) == 1002
    assert camera.find_mm(FIRST_NS + 2 * 33 * MS + 20 * MS) == 1003
    assert camera.input.unpaired == 0


def test_what_is_too_far_in_time_is_not_taken_but_counted(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    assert camera.find_mm(FIRST_NS + 51 * MS) is None
    assert camera.find_mm(FIRST_NS - 51 * MS) is None
    assert camera.input.unpaired == 2
    assert camera.find_mm(FIRST_NS + 49 * MS) == 1500


def test_equal_stamps_pair_also_when_they_are_zero(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(0, 1), depth(0, 2))
    assert camera.find_mm(0) in (1, 2)


def test_only_the_newest_are_kept(make: Callable[..., Camera]) -> None:
    camera = make(queue=2)
    camera.send(*(depth(FIRST_NS + i * 100 * MS, i) for i in range(5)))
    assert camera.find_mm(FIRST_NS) is None
    assert camera.find_mm(FIRST_NS + 400 * MS) == 4


def test_time_that_goes_back_forgets_what_came_before(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS + 10**9, 7), depth(FIRST_NS, 8))
    assert camera.find_mm(FIRST_NS + 10**9) is None
    assert camera.find_mm(FIRST_NS) == 8


def test_a_late_depth_image_is_waited_for_and_no_longer(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS, 1))
    late = threading.Timer(0.1, camera.send, [depth(FIRST_NS + 200 * MS, 2)])
    late.start()
    start_s = time.monotonic()
    assert camera.find_mm(FIRST_NS + 200 * MS, slop_s=1.0) == 2
    assert time.monotonic() - start_s < 0.9
    late.join()


def test_a_depth_stream_that_stopped_is_not_waited_for(
    make: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    monkeypatch.setattr("pose_ros.depth_input._ALIVE_S", 0.05)
    start_s = time.monotonic()
    assert camera.find_mm(FIRST_NS, slop_s=1.0) is None
    assert time.monotonic() - start_s < 0.5
    assert camera.input.unpaired == 0


def test_nothing_is_waited_for_before_depth_ever_came(make: Callable[..., Camera]) -> None:
    start_s = time.monotonic()
    assert make().input.find(running.header(FIRST_NS), SIZE, 1.0) is None
    assert time.monotonic() - start_s < 0.5


def test_another_size_or_frame_is_not_registered(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    with pytest.raises(ImageError, match="4 x 3, the image 8 x 6; depth must be registered"):
        camera.input.find(running.header(FIRST_NS), ImageSize(8, 6), SLOP_S)
    other = running.header(FIRST_NS)
    other.frame_id = "color_optical"
    with pytest.raises(ImageError, match="frame 'camera_optical', the image in 'color_optical'"):
        camera.input.find(other, SIZE, SLOP_S)


def test_it_subscribes_only_while_wanted(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    camera.input.follow(is_wanted=False)
    assert not camera.input.is_taken
    assert camera.find_mm(FIRST_NS) is None
    camera.input.follow(is_wanted=True)
    assert camera.input.is_taken
