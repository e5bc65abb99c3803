"""The camera of a soak run, a process of its own that fails in many ways if it is told to."""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import ok
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_ros import spinning
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.images import image_from_rgb
from pose_ros.tools.benchmark_node import await_subscriber, clip
from pose_ros.tools.soak_record import BURST, GOOD, SHIFTED, SPOILT, Frame, write_frame

_CLIP_FRAMES = 60
_QUEUE = 5
_BURST = 10
_MISHAP_S = (1.0, 3.0)
_PAUSE_S = (1.0, 4.0)
_SHIFT_S = (0.5, 60.0)
_SHIFT_LASTS_S = 1.0
_GLITCH_S = 0.2
_REST_S = 0.1


class CameraSettings(NamedTuple):
    """What a camera sends; 0 Hz: no pause between frames. No seed, no mishaps."""

    video: str
    width_px: int
    height_px: int
    rate_hz: float
    seed: int | None


class Deck:
    """Deals all its cards in random order, again and again, so that none stays away for long."""

    def __init__(self, cards: tuple[str, ...], dice: random.Random) -> None:
        self._cards, self._dice = cards, dice
        self._left: list[str] = []

    def draw(self) -> str:
        """Return the next card."""
        if not self._left:
            self._left = self._dice.sample(self._cards, len(self._cards))
        return self._left.pop()


class SoakCamera(Node):
    """Publishes a clip again and again, and notes what it sent."""

    def __init__(self, settings: CameraSettings, log: TextIO) -> None:
        super().__init__("camera")
        self._settings, self._log = settings, log
        size = ImageSize(settings.width_px, settings.height_px)
        images = clip(settings.video, size, _CLIP_FRAMES)
        messages = [image_from_rgb(image, Header()) for image in images]
        self._spoilt = dict(zip(SPOILT, spoilt_images(messages[0]), strict=True))
        self._frames = itertools.cycle(messages + messages[-2:0:-1])
        self._publisher = self.create_publisher(Image, "image", QoSProfile(depth=_QUEUE))
        self._dice = random.Random(settings.seed)
        self._deck = Deck(("pause", "burst", "shift", *SPOILT), self._dice)
        self._shift_ns, self._shift_end_s = 0, 0.0

    def play(self) -> None:
        """Play until ROS is shut down."""
        await_subscriber(self._publisher)
        mishap_s = time.monotonic() + self._dice.uniform(*_MISHAP_S)
        for now_s in self._due_times():
            if self._shift_ns and now_s > self._shift_end_s:
                self._shift_ns = 0
            if self._settings.seed is not None and now_s > mishap_s:
                self._misbehave(self._deck.draw())
                mishap_s = time.monotonic() + self._dice.uniform(*_MISHAP_S)
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

    def _misbehave(self, mishap: str) -> None:
        if mishap == "pause":
            _rest_until(time.monotonic() + self._dice.uniform(*_PAUSE_S))
        elif mishap == "burst":
            for message in itertools.islice(self._frames, _BURST):
                self._send(message, BURST)
        elif mishap == "shift":
            self._shift_ns = round(self._dice.uniform(*_SHIFT_S) * 1e9)
            self._shift_end_s = time.monotonic() + _SHIFT_LASTS_S
        else:  # with time enough around it that it does not give way to a newer image
            _rest_until(time.monotonic() + _GLITCH_S)
            self._send(self._spoilt[mishap], mishap)
            _rest_until(time.monotonic() + _GLITCH_S)

    def _send(self, message: Image, kind: str) -> None:
        seconds, nanoseconds = divmod(self.get_clock().now().nanoseconds - self._shift_ns, 10**9)
        message.header.stamp = Time(sec=seconds, nanosec=nanoseconds)
        frame = Frame(kind, seconds * 10**9 + nanoseconds, time.monotonic_ns())
        self._log.write(write_frame(frame))  # first, or a kill may hide what was sent
        self._publisher.publish(message)


def _rest_until(end_s: float) -> float:
    """Sleep, but notice the end of ROS; return the time."""
    while (left_s := end_s - time.monotonic()) > 0 and ok():
        time.sleep(min(left_s, _REST_S))
    return time.monotonic()


def spoilt_images(message: Image) -> tuple[Image, ...]:
    """Return images as the names in SPOILT say."""
    size = {"height": message.height, "width": message.width}
    return (
        Image(**size, encoding="rgb8", step=message.step, data=message.data[: message.step]),
        Image(**size, encoding="no_such8", step=message.step, data=message.data),
        Image(**size, encoding="rgb8", step=message.width, data=message.data),
    )


def main(settings: str, log_path: str, ros_args: list[str]) -> None:
    """Run the camera that some JSON describes; it ends by a signal."""
    spinning.init(ros_args)
    try:
        with Path(log_path).open("w", buffering=1) as log:
            SoakCamera(CameraSettings(*json.loads(settings)), log).play()
    except Exception:
        if ok():  # else the signal came between two calls
            raise
    finally:
        spinning.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
