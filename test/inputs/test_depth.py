"""Depth images are taken apart by encoding, and paired with images by stamp."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import clock
import numpy as np
import pytest
import running
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from running import FIRST_NS
from sensor_msgs.msg import Image

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import ImageError
from pose_ros.geometry.depth import DepthImage
from pose_ros.inputs import depth as depth_module
from pose_ros.inputs.depth import DepthInput, depth_from_image, has_values
from pose_ros.inputs.options import InputOptions

SIZE = ImageSize(4, 3)
SLOP_S = 0.05
LONG_S = 60.0
"""A wait that differs from none on any machine."""
MS = 1_000_000
DEPTHS_MM = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100


def depth(stamp_ns: int, value_mm: int = 1500, encoding: str = "16UC1") -> Image:
    message = running.raw(encoding, np.full((3, 4), value_mm, "<u2"))
    message.header = running.header(stamp_ns)
    return message


# What a message means


@pytest.mark.parametrize("padding", [0, 6])
def test_16uc1_is_in_millimeters(padding: int) -> None:
    found = depth_from_image(running.raw("16UC1", DEPTHS_MM.astype("<u2"), padding))
    np.testing.assert_allclose(found.values * found.meters_per_unit, DEPTHS_MM / 1000)


@pytest.mark.parametrize("padding", [0, 8])
def test_32fc1_is_in_meters(padding: int) -> None:
    depths_m = (DEPTHS_MM / 1000).astype("<f4")
    found = depth_from_image(running.raw("32FC1", depths_m, padding))
    np.testing.assert_array_equal(found.values * found.meters_per_unit, depths_m)


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
def test_what_is_no_depth_is_rejected_with_a_reason(
    change: dict[str, Any], words: list[str]
) -> None:
    message = depth(FIRST_NS)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ImageError) as error:
        depth_from_image(message)
    assert all(word in str(error.value) for word in words), str(error.value)


# Which one belongs to an image


class CountingInput(DepthInput):
    """Counts the depth images that have come."""

    received = 0

    def _receive(self, message: Image) -> None:
        super()._receive(message)
        self.received += 1


class Camera:
    """A depth input of a node that is spun, and a publisher for it."""

    def __init__(self, node: Any, executor: Any, queue: int) -> None:
        self.node = node
        self.input = CountingInput(node, InputOptions(depth_queue_size=queue, qos_depth=10))
        self.input.update(is_needed=True)
        self._publisher = node.create_publisher(Image, "depth", 10)
        self._executor = executor
        self._sent = 0
        self.wait_for_subscriptions(1)

    def wait_for_subscriptions(self, count: int) -> None:
        found = self._publisher.get_subscription_count
        running.until(lambda: found() == count, f"{count} subscriptions")

    def send(self, *messages: Image) -> None:
        """Publish depth images, one after the other has come."""
        for message in messages:
            self._sent += 1
            self._publisher.publish(message)
            running.until(self._has_come, "a depth image")

    def _has_come(self) -> bool:
        self._executor.spin_once(timeout_sec=0.1)
        return self.input.received == self._sent

    def find_mm(
        self, stamp_ns: int, slop_s: float = SLOP_S, stamp_scale: float = 1.0
    ) -> int | None:
        found = self.input.find(running.header(stamp_ns), SIZE, slop_s, stamp_scale)
        return None if found is None else int(found.values[0, 0])


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> clock.Clock:
    return clock.install(monkeypatch, depth_module)


@pytest.fixture
def make(
    node: Node, executor: SingleThreadedExecutor, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Camera]:
    """Depth that came once counts as alive for long, however slow the machine is."""
    monkeypatch.setattr(depth_module, "_ALIVE_S", LONG_S)
    return lambda queue=10: Camera(node, executor, queue)


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


@pytest.mark.parametrize("stamp_ns", [0, FIRST_NS])
def test_of_equal_stamps_the_newest_is_used(make: Callable[..., Camera], stamp_ns: int) -> None:
    camera = make()
    camera.send(depth(stamp_ns, 1), depth(stamp_ns, 2))
    assert camera.find_mm(stamp_ns) == 2


def test_depth_that_was_overtaken_is_kept_and_so_is_the_rest(make: Callable[..., Camera]) -> None:
    camera = make(queue=3)
    times_ns = [FIRST_NS + i * 33 * MS for i in (0, 2, 1, 3)]
    camera.send(*(depth(stamp_ns, number) for number, stamp_ns in enumerate(times_ns)))
    assert [camera.find_mm(stamp_ns) for stamp_ns in sorted(times_ns)[1:]] == [2, 1, 3]


def test_stamps_that_count_as_frames_are_compared_as_frames(make: Callable[..., Camera]) -> None:
    """A frame counter: the depth image of four frames ago is not that of the image."""
    camera = make()
    camera.send(depth(FIRST_NS, 1), depth(FIRST_NS + 1, 2))
    assert camera.find_mm(FIRST_NS + 1, stamp_scale=33e6) == 2
    assert camera.find_mm(FIRST_NS + 2, stamp_scale=33e6) == 2
    assert camera.find_mm(FIRST_NS + 5, stamp_scale=33e6) is None


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
    assert camera.find_mm(FIRST_NS + 200 * MS, slop_s=LONG_S) == 2
    assert time.monotonic() - start_s < LONG_S / 2
    late.join()


def test_a_depth_stream_that_stopped_is_not_waited_for(
    make: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    monkeypatch.setattr("pose_ros.inputs.depth._ALIVE_S", 0.05)
    time.sleep(0.05)
    start_s = time.monotonic()
    assert camera.find_mm(FIRST_NS + 2 * round(LONG_S * 1e9), slop_s=LONG_S) is None
    assert time.monotonic() - start_s < LONG_S / 2
    assert camera.input.unpaired == 0


def test_an_image_that_waited_has_its_depth_though_the_stream_stopped(
    make: Callable[..., Camera], steady: clock.Clock
) -> None:
    camera = make()
    camera.send(depth(FIRST_NS, 1), depth(FIRST_NS + 33 * MS, 2))
    steady.advance(10.0)
    assert camera.find_mm(FIRST_NS) == 1
    assert camera.find_mm(FIRST_NS + 33 * MS) == 2


def test_nothing_is_waited_for_before_depth_ever_came(make: Callable[..., Camera]) -> None:
    start_s = time.monotonic()
    assert make().input.find(running.header(FIRST_NS), SIZE, LONG_S) is None
    assert time.monotonic() - start_s < LONG_S / 2


PERIOD_NS = 300 * MS


def ask_without_pair(camera: Camera, stamp_ns: int) -> None:
    """Ask for depth of a time that has none: it is 120 ms behind."""
    camera.send(depth(stamp_ns - 120 * MS))
    assert camera.find_mm(stamp_ns, slop_s=0.001) is None


def test_depth_that_never_pairs_is_a_problem_until_most_images_have_theirs(
    make: Callable[..., Camera], steady: clock.Clock
) -> None:
    camera = make()
    for number in range(10):
        assert not problems(camera)
        ask_without_pair(camera, FIRST_NS + number * PERIOD_NS)
        steady.advance(0.3)
    (text,) = problems(camera)
    assert "0.12 s behind" in text
    for number in range(10, 18):
        assert len(problems(camera)) == 1
        camera.send(depth(FIRST_NS + number * PERIOD_NS))
        assert camera.find_mm(FIRST_NS + number * PERIOD_NS) == 1500
        steady.advance(0.3)
    assert not problems(camera)


def test_depth_that_half_of_the_images_have_is_a_problem(
    make: Callable[..., Camera], steady: clock.Clock
) -> None:
    """As on a busy machine, where the depth of the next image is near to the one at work."""
    camera = make()
    for number in range(10):
        stamp_ns = FIRST_NS + number * PERIOD_NS
        if number % 2:
            ask_without_pair(camera, stamp_ns)
        else:
            camera.send(depth(stamp_ns))
            assert camera.find_mm(stamp_ns) == 1500
        steady.advance(0.3)
    (text,) = problems(camera)
    assert "50%" in text
    assert "0.12 s behind" in text


def test_depth_that_never_pairs_is_waited_for_again_when_it_would_have_come(
    make: Callable[..., Camera], steady: clock.Clock
) -> None:
    camera, stamp_ns = make(), FIRST_NS
    for number in range(11):
        stamp_ns = FIRST_NS + number * PERIOD_NS
        ask_without_pair(camera, stamp_ns)
        steady.advance(0.3)
    stamp_ns += round(2e9 * LONG_S)
    assert seconds_to_find(camera, stamp_ns, LONG_S) < LONG_S / 2
    camera.send(depth(stamp_ns))
    assert seconds_to_find(camera, stamp_ns + 10**9, 0.4) > 0.35


def seconds_to_find(camera: Camera, stamp_ns: int, slop_s: float) -> float:
    """Ask for depth that did not come; return how long that took."""
    start_s = time.perf_counter()
    assert camera.find_mm(stamp_ns, slop_s) is None
    return time.perf_counter() - start_s


def problems(camera: Camera) -> list[str]:
    found = camera.input.problems(timeout_s=0.0, is_required=False).values()
    return [text for text in found if text is not None]


def test_a_value_that_is_measured_anywhere_counts() -> None:
    empty = np.array([[np.nan, 0, -1, np.inf, -np.inf]] * 20, np.float32)
    assert not has_values(DepthImage(empty, 1.0))
    empty[13, 3] = 2.0
    assert has_values(DepthImage(empty, 1.0))


def test_another_size_or_frame_is_not_registered(make: Callable[..., Camera]) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    with pytest.raises(ImageError, match="4 x 3, the image 8 x 6; depth must be registered"):
        camera.input.find(running.header(FIRST_NS), ImageSize(8, 6), SLOP_S)
    other = running.header(FIRST_NS)
    other.frame_id = "color_optical"
    with pytest.raises(ImageError, match="frame 'camera_optical', the image in 'color_optical'"):
        camera.input.find(other, SIZE, SLOP_S)


def stop_needing(depth_input: DepthInput) -> None:
    depth_input.update(is_needed=False)


@pytest.mark.parametrize("end", [stop_needing, DepthInput.release])
def test_it_subscribes_while_needed_and_then_forgets_what_came(
    make: Callable[..., Camera], end: Callable[[DepthInput], None]
) -> None:
    camera = make()
    camera.send(depth(FIRST_NS))
    end(camera.input)
    assert not camera.input.is_subscribed
    camera.wait_for_subscriptions(0)
    camera.input.update(is_needed=True)
    assert camera.input.is_subscribed
    start_s = time.monotonic()
    assert camera.find_mm(FIRST_NS, slop_s=LONG_S) is None
    assert time.monotonic() - start_s < LONG_S / 2, "waited for depth that came before"
    camera.wait_for_subscriptions(1)
    camera.send(depth(FIRST_NS + 10**9, 7))
    assert camera.find_mm(FIRST_NS + 10**9) == 7
    assert camera.find_mm(FIRST_NS) is None
