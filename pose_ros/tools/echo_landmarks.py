"""Show the landmarks of a running pose node as a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from pose_ros.blazepose.errors import PoseError
from pose_ros.client import Landmarks, landmarks_from_msg, names_from_msg
from pose_ros.runtime import run
from pose_ros.runtime.clock import STEADY_CLOCK
from pose_ros.runtime.endpoints import type_name
from pose_ros.tools.command import run_command

_NAME = "echo_landmarks"


class _Column(NamedTuple):
    heading: str
    field: str
    decimals: int


_COLUMNS = (
    _Column("u_px", "u", 1),
    _Column("v_px", "v", 1),
    _Column("depth_rel", "depth_rel", 1),
    _Column("visibility", "visibility", 3),
    _Column("presence", "presence", 3),
)
_POSITION = (_Column("x_m", "x", 3), _Column("y_m", "y", 3), _Column("z_m", "z", 3))
_MAX_WAITED = 10
_SILENCE_S = 5.0
_TYPE = type_name(PointCloud2)


class LandmarkEcho(Node):
    """Prints a table for each message, or for one only.

    Names come on a topic of their own; the first few messages wait for them.
    """

    def __init__(self, topic: str, is_once: bool) -> None:
        super().__init__(_NAME)
        self.failure: Exception | None = None
        self._is_once, self._waited = is_once, 0
        self._names: tuple[str, ...] = ()
        namespace, slash, _ = topic.rpartition("/")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(
            String, f"{namespace}{slash}landmark_names", self._on_names, latched
        )
        self._landmarks = self.create_subscription(PointCloud2, topic, self._on_landmarks, newest)
        self._silence = self.create_timer(_SILENCE_S, self._report_silence, clock=STEADY_CLOCK)

    def _report_silence(self) -> None:
        """Tell once why there may be nothing to show."""
        self._silence.cancel()
        topic = self._landmarks.topic_name
        if self.count_publishers(topic):
            self.get_logger().warning(f"no message on {topic} yet; /diagnostics may have why")
            return
        found = sorted(
            name
            for name, types in self.get_topic_names_and_types()
            if name != topic and name.endswith("/landmarks") and _TYPE in types
        )
        others = f"; there is {', '.join(found)}" if found else ""
        self.get_logger().warning(f"nobody publishes {topic}{others}")

    def _on_names(self, message: String) -> None:
        self._names = names_from_msg(message).names

    def _on_landmarks(self, message: PointCloud2) -> None:
        self._silence.cancel()
        if not self._names and self._waited < _MAX_WAITED:
            self._waited += 1
            return
        stamp = message.header.stamp
        try:
            text = table(landmarks_from_msg(message), self._names)
            print(f"{stamp.sec}.{stamp.nanosec:09} {message.header.frame_id}\n{text}", flush=True)
        except ValueError as error:
            self.failure = PoseError(str(error))
        except OSError as error:
            self.failure = error
        if self._is_once or self.failure:
            self.context.try_shutdown()


def table(landmarks: Landmarks, names: Sequence[str]) -> str:
    """Return a table of all people, with positions in meters and names where they are known."""
    if not len(landmarks.points):
        return "nobody\n"
    has_position = bool(np.isfinite(landmarks.xyz).any())
    columns = _COLUMNS + (_POSITION if has_position else ())
    people = zip(landmarks.person_id, landmarks.held_ms, landmarks.points, strict=True)
    return "\n".join(
        _person_table(f"person {number}{f' ({ms} ms ago)' if ms else ''}", row, names, columns)
        for number, ms, row in people
    )


def _person_table(
    heading: str, row: npt.NDArray[Any], names: Sequence[str], columns: Sequence[_Column]
) -> str:
    lines = [f"{heading:<21}" + "".join(f"{c.heading:>11}" for c in columns)]
    for point in row:
        index = int(point["index"])
        name = names[index] if index < len(names) else ""
        values = "".join(f"{point[c.field]:11.{c.decimals}f}" for c in columns)
        lines.append(f"{index:>2} {name:<18}{values}")
    return "\n".join(lines) + "\n"


def main(args: list[str] | None = None) -> int:
    """Show the topic that the command line names; return the exit code."""
    args = sys.argv[1:] if args is None else args
    parser = argparse.ArgumentParser(
        prog=_NAME, description=__doc__, epilog="Takes --ros-args as well."
    )
    parser.add_argument(
        "topic", nargs="?", default="pose/landmarks", help="default: pose/landmarks"
    )
    parser.add_argument("--once", action="store_true", help="show one message, then end")
    options = parser.parse_args(run.own_arguments(args))
    return run_command(_NAME, lambda: _run(options, args))


def _run(options: argparse.Namespace, args: list[str]) -> int:
    node = run.run(lambda: LandmarkEcho(options.topic, options.once), args)
    if node is not None and node.failure is not None:
        raise node.failure
    return 0


if __name__ == "__main__":
    sys.exit(main())
