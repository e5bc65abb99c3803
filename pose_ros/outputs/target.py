"""The frame that positions are published in, by TF."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from pose_ros.outputs.frame import Frame
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.tf import import_tf2

_LOOKUP_TIMEOUT = Duration(nanoseconds=50_000_000)
"""How long a transform that is on its way may be waited for; part of a frame's time."""


class TargetFrame:
    """Gives frames the transform to `target_frame`, if that is set.

    The executor's thread updates and releases it; the worker's applies it, because it may wait.
    `problem` says why the last frame got no transform, if it needed one.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listener: TfListener | None = None
        self.problem: str | None = None

    def update(self, options: OutputOptions) -> None:
        """Listen to TF, or no longer. Raises OptionError without tf2_ros."""
        if not options.target_frame:
            self.release()
        elif self._listener is None:
            self._listener = TfListener(self._node)

    def apply(self, frame: Frame) -> Frame:
        """Return the frame with its transform, as far as that is known."""
        listener, target = self._listener, frame.options.target_frame
        self.problem = None
        if not target or listener is None:
            return frame
        if frame.poses.has_jumped:
            listener.clear()
        transform = listener.find(target, frame.header)
        if transform is None:
            self.problem = (
                f"no transform from frame {frame.header.frame_id!r} to target_frame {target!r}: "
                "positions are unknown, no markers are published"
            )
        return replace(frame, transform=transform)

    def release(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        self.problem = None
        if listener is not None:
            listener.release()


class TfListener:
    """Keeps what comes on /tf and /tf_static. Raises OptionError without tf2_ros.

    It listens with the node's executor; `find` may be called from another thread, and is to be.
    """

    def __init__(self, node: Node) -> None:
        self._tf2: ModuleType = import_tf2("target_frame")
        self._buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(self._buffer, node)

    def find(self, target: str, header: Header) -> TransformStamped | None:
        """Return the transform from the header's frame to the target at the header's stamp.

        A stamp of zero means the latest one. None if it is unknown, as for every negative stamp;
        only frames that are connected are waited for, 50 ms at most.
        """
        if header.stamp.sec < 0:
            return None
        source, time = header.frame_id, Time.from_msg(header.stamp)
        if target == source:
            return TransformStamped(header=header, child_frame_id=source)
        try:
            is_connected = self._buffer.can_transform(target, source, Time())
            timeout = _LOOKUP_TIMEOUT if is_connected else Duration()
            return self._buffer.lookup_transform(target, source, time, timeout)
        except self._tf2.TransformException:
            return None

    def clear(self) -> None:
        """Forget all transforms but the static ones: time has jumped."""
        self._buffer.clear()

    def release(self) -> None:
        """Stop listening."""
        self._listener.unregister()
