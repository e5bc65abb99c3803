"""The camera of a soak run, a process of its own that fails in many ways if asked to."""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from benchmark.node import await_subscriber, clip
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import ok
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.outputs.images import image_from_rgb
from pose_ros.runtime import run
from soak.detector import SoakDetector
from soak.record import BURST, GOOD, INVALID, SHIFTED, Frame, write_frame

_CLIP_FRAMES = 60
_QUEUE = 5
_BURST = 10
_FAULT_S = (1.0, 3.0)
_PAUSE_S = (1.0, 4.0)
_SHIFT_S = (0.5, 60.0)
_SHIFT_DURATION_S = 1.0
_GLITCH_S = 0.2
_REST_S = 0.1


class CameraSettings(NamedTuple):
    """What a camera sends; 0 Hz: no pause between frames. No seed, no faults.

    `sends_boxes`: with every third frame, as another detector would.
    """

    video: str
    width_px: int
    height_px: int
    rate_hz: float
    seed: int | None
    sends_boxes: bool = False


class ShuffledCycle:
    """Gives all its items in random order, again and again, so that none is missing for long."""

    def __init__(self, items: tuple[str, ...], rng: random.Random) -> None:
        self._items, self._rng = items, rng
        self._left: list[str] = []

    def next(self) -> str:
        """Return the next item."""
        if not self._left:
            self._left = self._rng.sample(self._items, len(self._items))
        return self._left.pop()


class SoakCamera(Node):
    """Publishes a clip again and again, and records what it sent."""

    def __init__(self, settings: CameraSettings, log: TextIO) -> None:
        super().__init__("camera")
        self._settings, self._log = settings, log
        size = ImageSize(settings.width_px, settings.height_px)
        images = clip(settings.video, size, _CLIP_FRAMES)
        messages = [image_from_rgb(image, Header(frame_id="camera")) for image in images]
        self._invalid = dict(zip(INVALID, invalid_images(messages[0]), strict=True))
        self._frames = itertools.cycle(messages + messages[-2:0:-1])
        self._publisher = self.create_publisher(Image, "image", QoSProfile(depth=_QUEUE))
        self._rng = random.Random(settings.seed)
        self._detector = SoakDetector(self, size, self._rng) if settings.sends_boxes else None
        self._kinds = ShuffledCycle(("pause", "burst", "shift", *INVALID), self._rng)
        self._shift_ns, self._shift_end_s = 0, 0.0

    def play(self) -> None:
        """Play until ROS is shut down."""
        await_subscriber(self._publisher)
        fault_s = time.monotonic() + self._rng.uniform(*_FAULT_S)
        for now_s in self._due_times():
            if self._shift_ns and now_s > self._shift_end_s:
                self._shift_ns = 0
            if self._settings.seed is not None and now_s > fault_s:
                self._inject(self._kinds.next())
                fault_s = time.monotonic() + self._rng.uniform(*_FAULT_S)
            else:
                self._send(next(self._frames), SHIFTED if self._shift_ns else GOOD)

    def _due_times(self) -> Iterator[float]:
        """Yield the time whenever a frame is due; a camera that is late does not catch up."""
        period_s = 1 / self._settings.rate_hz if self._settings.rate_hz else 0.0
        due_s = time.monotonic()
        while ok():
            now_s = _rest_until(due_s)
            due_s = max(due_s + period_s, now_s)
            yield now_s

    def _inject(self, fault: str) -> None:
        if fault == "pause":
            _rest_until(time.monotonic() + self._rng.uniform(*_PAUSE_S))
        elif fault == "burst":
            for message in itertools.islice(self._frames, _BURST):
                self._send(message, BURST)
        elif fault == "shift":
            self._shift_ns = round(self._rng.uniform(*_SHIFT_S) * 1e9)
            self._shift_end_s = time.monotonic() + _SHIFT_DURATION_S
        else:  # with enough time around it that no newer image replaces it
            _rest_until(time.monotonic() + _GLITCH_S)
            self._send(self._invalid[fault], fault)
            _rest_until(time.monotonic() + _GLITCH_S)

    def _send(self, message: Image, kind: str) -> None:
        seconds, nanoseconds = divmod(self.get_clock().now().nanoseconds - self._shift_ns, 10**9)
        message.header.stamp = Time(sec=seconds, nanosec=nanoseconds)
        frame = Frame(kind, seconds * 10**9 + nanoseconds, time.monotonic_ns())
        self._log.write(write_frame(frame))  # first, or a kill may hide what was sent
        if self._detector is not None:
            self._detector.send(message.header, self._settings.seed is not None)
        self._publisher.publish(message)


def _rest_until(end_s: float) -> float:
    """Sleep, but not beyond the end of ROS; return the time."""
    while (left_s := end_s - time.monotonic()) > 0 and ok():
        time.sleep(min(left_s, _REST_S))
    return time.monotonic()


def invalid_images(message: Image) -> tuple[Image, ...]:
    """Return one invalid image for each name in INVALID."""
    size = {"height": message.height, "width": message.width}
    return (
        Image(**size, encoding="rgb8", step=message.step, data=message.data[: message.step]),
        Image(**size, encoding="no_such8", step=message.step, data=message.data),
        Image(**size, encoding="rgb8", step=message.width, data=message.data),
    )


def main(settings: str, log_path: str, ros_args: list[str]) -> None:
    """Run the camera that some JSON describes; it ends by a signal."""
    run.init(ros_args)
    try:
        with run.until_shutdown(), Path(log_path).open("w", buffering=1) as log:
            SoakCamera(CameraSettings(*json.loads(settings)), log).play()
    finally:
        run.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
