"""Depth images, and which of them belongs to an image."""

from __future__ import annotations

import threading
import time
from bisect import insort_right
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import ImageError
from pose_ros.geometry.depth import DepthImage
from pose_ros.inputs.images import Encoding, view_pixels
from pose_ros.inputs.options import InputOptions
from pose_ros.inputs.qos import input_qos
from pose_ros.inputs.shortage import Shortage
from pose_ros.inputs.subscription import LazySubscription
from pose_ros.runtime.clock import stamp_to_ns

# REP 118: 32FC1 in meters is canonical; 16UC1 is in millimeters, 0 where nothing was measured.
_UNITS_M = {
    "16UC1": (Encoding(np.uint16, 1, None), 0.001),
    "32FC1": (Encoding(np.float32, 1, None), 1.0),
}
_ALIVE_S = 1.0
_MAX_DISORDER_NS = 200_000_000  # more is not a message that was overtaken
_COARSE = 8


def depth_from_image(message: Image) -> DepthImage:
    """Return the depths of a message, as a view of its data.

    Raises ImageError for an encoding that holds no depth, sizes that do not fit, missing data.
    """
    if message.encoding not in _UNITS_M:
        raise ImageError(
            f"depth image has encoding {message.encoding!r}; allowed are "
            + " and ".join(repr(name) for name in _UNITS_M)
        )
    encoding, unit_m = _UNITS_M[message.encoding]
    return DepthImage(view_pixels(message, encoding)[..., 0], unit_m)


def check_registered(depth: Image, image_size: ImageSize, frame_id: str) -> None:
    """Raise ImageError unless a depth image shows the same pixels as the image."""
    size = ImageSize(depth.width, depth.height)
    if size != image_size:
        raise ImageError(
            f"depth image measures {size.width_px} x {size.height_px}, the image "
            f"{image_size.width_px} x {image_size.height_px}; depth must be registered to it"
        )
    if depth.header.frame_id != frame_id:
        raise ImageError(
            f"depth image is in frame {depth.header.frame_id!r}, the image in {frame_id!r}; "
            "depth must be registered to it"
        )


def has_values(depth: DepthImage) -> bool:
    """Return whether anything was measured: a value above 0 that is finite."""
    parts = (depth.values[::_COARSE, ::_COARSE], depth.values)  # the first nearly always does
    return any(bool(((part > 0) & (part < np.inf)).any()) for part in parts)


@dataclass(frozen=True)
class _Request:
    """The image that depth is wanted for, and when it was asked for."""

    stamp_ns: int
    slop_s: float
    stamp_scale: float
    asked_s: float

    def difference_ns(self, depth: Image) -> int:
        """Return how much later the stamp of a depth image is than that of the image."""
        return _stamp_ns(depth) - self.stamp_ns

    def fits(self, depth: Image) -> bool:
        """Return whether the stamps are near enough."""
        return abs(self.difference_ns(depth)) * self.stamp_scale <= self.slop_s * 1e9

    def is_met(self, depth: Image, now_s: float) -> bool:
        """Return whether a depth image that comes now fits, and came while one would wait."""
        return now_s - self.asked_s <= self.slop_s and self.fits(depth)


class DepthInput:
    """Keeps the newest depth images; the worker asks for the one that belongs to an image.

    Depth is received in the executor's thread and looked for in the worker's.
    """

    def __init__(self, node: Node, options: InputOptions) -> None:
        qos = input_qos(options, options.depth_queue_size)
        self._images = LazySubscription(node, Image, "depth", qos, self._receive, "depth image")
        default_topic = node.resolve_topic_name("depth", only_expand=True)
        self._is_named = self._images.topic != default_topic
        self._changed = threading.Condition()
        self._kept: list[Image] = []  # by stamp
        self._max_kept = options.depth_queue_size
        self._received_s = -_ALIVE_S
        self._request: _Request | None = None
        self._difference_ns = 0
        self._without_pair, self._without_values = Shortage(), Shortage()
        self.unpaired = 0

    @property
    def is_subscribed(self) -> bool:
        """Whether depth images can come now."""
        return self._images.is_subscribed

    @property
    def facts(self) -> dict[str, str]:
        """What is worth knowing in `/diagnostics`."""
        topic, unpaired = self._images.topic, str(self.unpaired)
        return {"depth topic": topic, "images without their depth": unpaired}

    @property
    def has_received(self) -> bool:
        """Whether a depth image came since the node subscribed."""
        return self._images.has_received

    def update(self, is_needed: bool) -> None:
        """Subscribe, or unsubscribe and forget what came."""
        self._images.update(is_needed)
        if not is_needed:
            self._forget()

    def problems(self, timeout_s: float, is_required: bool) -> dict[str, str | None]:
        """Return what is wrong with the stream of depth now: a text, or None, for each kind.

        No depth for longer than `timeout_s` is a problem (0: never) if it is required, or if the
        user gave its topic a name.
        """
        is_expected = is_required or self._is_named
        with self._changed:
            is_alive = self._is_alive()
            rarely_pairs = is_alive and self._without_pair.is_common
            is_empty = is_alive and self._without_values.is_common
            return {
                "no depth": self._images.no_message_warning(timeout_s if is_expected else 0.0),
                "depth stamps": self._stamp_problem() if rarely_pairs else None,
                "empty depth": self._value_problem() if is_empty else None,
            }

    def _stamp_problem(self) -> str:
        assert self._request is not None
        seconds = self._difference_ns / 1e9
        amount = f"{abs(seconds):.0f}" if abs(seconds) > 10 else f"{abs(seconds):.2g}"
        side = "ahead of" if seconds > 0 else "behind"
        return (
            f"depth images come on {self._images.topic}, but {self._without_pair.share:.0%} of "
            f"the images have none near in time: by its stamp, the newest is {amount} s {side} "
            f"its image; depth_slop_s is {self._request.slop_s:g}"
        )

    def _value_problem(self) -> str:
        return (
            f"depth images on {self._images.topic} are empty: no value above 0 in "
            f"{self._without_values.share:.0%} of them"
        )

    def release(self) -> None:
        """Unsubscribe, and forget what came."""
        self.update(is_needed=False)

    def _forget(self) -> None:
        with self._changed:
            self._kept.clear()
            self._received_s = -_ALIVE_S
            self._request = None
            self._without_pair.end()
            self._without_values.end()

    def find(
        self, header: Header, image_size: ImageSize, slop_s: float, stamp_scale: float = 1.0
    ) -> DepthImage | None:
        """Return the depth image that is nearest in time to an image, or None.

        Their stamps, times `stamp_scale`, differ by no more than `slop_s`. If depth is coming but
        none as late as the image came yet, this waits for it, `slop_s` at the most, and not at
        all once depth is known never to pair. Raises ImageError for a depth image that cannot be
        used.
        """
        stamp_ns = stamp_to_ns(header.stamp)
        request = _Request(stamp_ns, slop_s, stamp_scale, time.monotonic())
        with self._changed:
            nearest = self._pair(request, is_alive=self._is_alive())
        if nearest is None:
            return None
        check_registered(nearest, image_size, header.frame_id)
        depth = depth_from_image(nearest)
        with self._changed:
            self._without_values.add(time.monotonic(), lacks=not has_values(depth))
        return depth

    def _pair(self, request: _Request, *, is_alive: bool) -> Image | None:
        """Return the depth image that belongs to an image; wait for it if that may help.

        Where depth no longer comes, an image may lack it, but one that waited still has its own.
        """
        if is_alive:
            self._request = request
            if not self._without_pair.is_total:
                self._changed.wait_for(lambda: self._has_reached(request.stamp_ns), request.slop_s)
        found = self._nearest(request)
        if is_alive:
            self._without_pair.add(time.monotonic(), lacks=found is None)
            if found is None and self._kept:
                self._difference_ns = request.difference_ns(self._kept[-1])
                self.unpaired += 1
        return found

    def _nearest(self, request: _Request) -> Image | None:
        fitting = [item for item in reversed(self._kept) if request.fits(item)]
        # Of equal stamps the newest.
        return min(fitting, key=lambda item: abs(request.difference_ns(item)), default=None)

    def _is_alive(self) -> bool:
        return time.monotonic() - self._received_s < _ALIVE_S

    def _has_reached(self, stamp_ns: int) -> bool:
        return bool(self._kept) and _stamp_ns(self._kept[-1]) >= stamp_ns

    def _receive(self, message: Image) -> None:
        with self._changed:
            if self._has_reached(_stamp_ns(message) + _MAX_DISORDER_NS):
                self._kept.clear()  # time went back, as when a bag starts again
            insort_right(self._kept, message, key=_stamp_ns)
            del self._kept[: -self._max_kept]
            self._received_s = time.monotonic()
            if self._request is not None and self._request.is_met(message, self._received_s):
                self._without_pair.supply()  # also if nobody waited
            self._changed.notify_all()


def _stamp_ns(message: Image) -> int:
    return stamp_to_ns(message.header.stamp)
