"""People whom another detector finds, and which of its messages belongs to an image.

vision_msgs is imported only when a parameter asks for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import Float64Array, ImageSize
from pose_ros.blazepose.errors import OptionError, quote
from pose_ros.blazepose.options import ModelOptions
from pose_ros.inputs.boxes import PersonBoxes, boxes_from_detections
from pose_ros.inputs.options import InputOptions
from pose_ros.inputs.qos import input_qos
from pose_ros.inputs.shortage import Shortage
from pose_ros.inputs.subscription import LazySubscription
from pose_ros.runtime.clock import stamp_to_ns

_MOST_KEPT = 10
_LASTING_S = 5.0


def check_detections(options: ModelOptions) -> None:
    """Raise OptionError if an option asks for detections and there is no vision_msgs."""
    if options.person_detector == "topic":
        import_detections()


def import_detections() -> type:
    """Return the type of message of detections; OptionError if it cannot be imported."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError as error:
        raise OptionError(
            "person_detector is 'topic', which needs the package vision_msgs; it cannot be "
            f"imported ({error}). Install it: apt install ros-$ROS_DISTRO-vision-msgs"
        ) from error
    message_type: type = Detection2DArray
    return message_type


class _Lasting:
    """A problem that comes and goes: it counts as one as long as it comes again in time."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._last_s = 0.0

    def update(self, text: str | None) -> None:
        """Take the present state; None: there is no problem just now."""
        if text is not None:
            self._text, self._last_s = text, time.monotonic()

    @property
    def text(self) -> str | None:
        """The problem, None if it has not come for some time."""
        return self._text if time.monotonic() - self._last_s < _LASTING_S else None


class DetectionsInput:
    """Keeps the newest detections; the worker asks for those that belong to an image.

    They are received in the executor's thread and looked for in the worker's.
    """

    def __init__(self, node: Node, options: InputOptions) -> None:
        self._node, self._qos = node, input_qos(options, options.qos_depth)
        self._topic = node.resolve_topic_name("detections")
        self._messages: LazySubscription[Any] | None = None
        self._lock = threading.Lock()
        self._kept: deque[Any] = deque(maxlen=_MOST_KEPT)
        self.rejected = self.unpaired = 0
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._kept.clear()
            self._without_pair, self._without_class = Shortage(), Shortage()
            self._stamps, self._classes = "", ""
            self._seen_class: str | None = None
            self._bad_boxes, self._bad_frame = _Lasting(), _Lasting()
            self._is_asked = self._is_paired = False
            self._read: tuple[Any, str, PersonBoxes] | None = None

    @property
    def received(self) -> int:
        """The number of messages that came since the node subscribed."""
        return self._messages.received if self._messages is not None else 0

    @property
    def facts(self) -> dict[str, str]:
        """What is worth knowing in `/diagnostics`, once detections were asked for."""
        if self._messages is None:
            return {}
        return {
            "detections topic": self._topic,
            "detections received": str(self.received),
            "boxes rejected total": str(self.rejected),
            "images without boxes": str(self.unpaired),
        }

    def update(self, is_needed: bool) -> None:
        """Subscribe, or unsubscribe and forget what came.

        Raises OptionError without vision_msgs.
        """
        if is_needed and self._messages is None:
            self._messages = LazySubscription(
                self._node,
                import_detections(),
                "detections",
                self._qos,
                self._receive,
                "detections",
            )
        if self._messages is not None:
            self._messages.update(is_needed)
        if not is_needed:
            self._forget()

    def release(self) -> None:
        """Unsubscribe, and forget what came."""
        self.update(is_needed=False)

    def problems(self, timeout_s: float) -> dict[str, str | None]:
        """Return what is wrong with the detections now: a text, or None, for each kind."""
        messages = self._messages
        with self._lock:
            return {
                "no detections": messages.no_message_warning(timeout_s) if messages else None,
                "detection stamps": self._stamps if self._without_pair.is_common else None,
                "detection class": self._classes if self._without_class.is_common else None,
                "detection boxes": self._bad_boxes.text,
                "detection frame": self._bad_frame.text,
            }

    def _receive(self, message: Any) -> None:  # noqa: ANN401
        with self._lock:
            if self._is_asked:
                self._without_pair.add(time.monotonic(), lacks=not self._is_paired)
            self._is_asked = self._is_paired = False
            self._kept.append(message)

    def find(
        self,
        header: Header,
        image_size: ImageSize,
        options: InputOptions,
        stamp_scale: float = 1.0,
    ) -> Float64Array | None:
        """Return the boxes (B, 4) of people that belong to an image; None if no message does.

        That is the newest whose stamp, times `stamp_scale`, differs by no more than
        `detections_slop_s`. Nothing waits for it: a detector needs its time, and boxes are but
        where to look first.
        """
        message = self._pair(stamp_to_ns(header.stamp), options.detections_slop_s, stamp_scale)
        if message is None or not self._has_frame(message, header.frame_id):
            return None
        boxes, is_new = self._boxes(message, options.detection_class)
        if is_new:
            self._check(boxes, image_size, options.detection_class)
        return boxes.in_image(image_size)

    def _pair(self, stamp_ns: int, slop_s: float, stamp_scale: float) -> Any:  # noqa: ANN401
        with self._lock:
            differences_ns = {
                index: stamp_to_ns(message.header.stamp) - stamp_ns
                for index, message in enumerate(self._kept)
            }
            fitting = {
                index: difference_ns
                for index, difference_ns in differences_ns.items()
                if abs(difference_ns) * stamp_scale <= slop_s * 1e9
            }
            self._is_asked |= bool(differences_ns)
            self._is_paired |= bool(fitting)
            if fitting:
                return self._kept[max(fitting, key=lambda index: (fitting[index], index))]
            self.unpaired += 1
            if differences_ns:
                newest_ns = differences_ns[len(self._kept) - 1]
                self._stamps = self._stamp_problem(newest_ns / 1e9, slop_s)
            return None

    def _stamp_problem(self, seconds: float, slop_s: float) -> str:
        amount = f"{abs(seconds):.0f}" if abs(seconds) > 10 else f"{abs(seconds):.2g}"
        side = "ahead of" if seconds > 0 else "behind"
        return (
            f"detections come on {self._topic}, but no image is near enough in time: by its "
            f"stamp, the newest is {amount} s {side} its image; detections_slop_s is {slop_s:g}"
        )

    def _has_frame(self, message: Any, frame_id: str) -> bool:  # noqa: ANN401
        """Return whether the detections are of this camera; they may leave out its frame."""
        name = message.header.frame_id
        if not name or not frame_id or name.lstrip("/") == frame_id.lstrip("/"):
            return True
        self._bad_frame.update(
            f"detections on {self._topic} are in frame {name!r}, the image in {frame_id!r}: they "
            "are not used"
        )
        return False

    def _boxes(self, message: Any, detection_class: str) -> tuple[PersonBoxes, bool]:  # noqa: ANN401
        """Return the boxes of a message, and whether it is read for the first time."""
        read = self._read
        if read is not None and read[0] is message and read[1] == detection_class:
            return read[2], False
        boxes = boxes_from_detections(message, detection_class)
        self._read = (message, detection_class, boxes)
        return boxes, True

    def _check(self, boxes: PersonBoxes, image_size: ImageSize, detection_class: str) -> None:
        """Note what is wrong with the boxes of a message."""
        self.rejected += len(boxes.boxes_px) - len(boxes.in_image(image_size))
        problem = boxes.problem(image_size)
        self._bad_boxes.update(None if problem is None else f"{self._topic}: {problem}")
        if len(boxes.boxes_px):
            self._seen_class = detection_class
            self._without_class.end()
        elif boxes.classes and self._seen_class != detection_class:
            self._without_class.add(time.monotonic(), lacks=True)
            self._classes = (
                f"no detection on {self._topic} has the detection_class {quote(detection_class)}; "
                f"there are {', '.join(map(quote, boxes.classes))}"
            )
