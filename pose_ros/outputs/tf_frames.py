"""Frames that positions are published in or judged by, looked up by TF."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from pose_ros.blazepose.datatypes import Poses
from pose_ros.geometry.floor import Floor
from pose_ros.outputs.frame import Frame
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import import_tf2
from pose_ros.outputs.transforms import rotation_matrix

_LOOKUP_TIMEOUT = Duration(nanoseconds=50_000_000)
"""How long a transform that is on its way may be waited for; part of a frame's time."""


class TfFrames:
    """Looks up what the options ask of TF: the transform to `target_frame`, and `floor_frame`.

    The executor's thread updates and releases it; the worker's looks up, because it may wait.
    `problems` say, by parameter, why the last frame did without.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listener: TfListener | None = None
        self._jump: Poses | None = None
        self.problems: dict[str, str | None] = {"target_frame": None, "floor_frame": None}

    def update(self, options: OutputOptions) -> None:
        """Listen to TF, or no longer. Raises OptionError without tf2_ros."""
        if not (options.target_frame or options.floor_frame):
            self.release()
        elif self._listener is None:
            parameter = "target_frame" if options.target_frame else "floor_frame"
            self._listener = TfListener(self._node, parameter)

    def floor(self, frame: Frame) -> Floor | None:
        """Return the floor that the people of a frame stand on; None if it is unknown."""
        name = frame.options.floor_frame
        transform = self._find(frame, name)
        height_m = 0.0 if transform is None else transform.transform.translation.z
        self.problems["floor_frame"] = _floor_problem(frame, transform is not None, height_m)
        if transform is None or height_m <= 0:
            return None
        return Floor(rotation_matrix(transform)[2], height_m)

    def to_target(self, frame: Frame) -> Frame:
        """Return the frame with its transform, as far as that is known."""
        if not frame.is_located:
            self.problems["floor_frame"] = None
        target, source = frame.options.target_frame, frame.header.frame_id
        transform = self._find(frame, target)
        is_missing = transform is None and self._listener is not None and bool(target)
        self.problems["target_frame"] = (
            f"no transform from frame {source!r} to target_frame {target!r}: "
            "positions are unknown, no markers are published"
            if is_missing
            else None
        )
        return frame if transform is None else replace(frame, transform=transform)

    def _find(self, frame: Frame, name: str) -> TransformStamped | None:
        listener = self._listener
        if not name or listener is None:
            return None
        if frame.poses.has_jumped and frame.poses is not self._jump:
            listener.clear()
            self._jump = frame.poses
        return listener.find(name, frame.header)

    def release(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        self.problems = dict.fromkeys(self.problems)
        if listener is not None:
            listener.release()


def _floor_problem(frame: Frame, is_found: bool, height_m: float) -> str | None:
    """Return why there is no floor, if the options name one."""
    name, source = frame.options.floor_frame, frame.header.frame_id
    if not name or height_m > 0:
        return None
    if not is_found:
        return (
            f"no transform from frame {source!r} to floor_frame {name!r}: "
            "the floor is not used for distances"
        )
    return (
        f"frame {source!r} is {height_m:.2f} m above floor_frame {name!r}, allowed is more than "
        "0: the floor is not used for distances"
    )


class TfListener:
    """Keeps what comes on /tf and /tf_static. Raises OptionError without tf2_ros.

    It listens with the node's executor; `find` may be called from another thread, and is to be.
    """

    def __init__(self, node: Node, parameter: str = "target_frame") -> None:
        self._tf2: ModuleType = import_tf2(parameter)
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
