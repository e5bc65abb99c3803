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
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from pose_ros import spinning
from pose_ros.client import Landmarks, landmarks_from_msg, names_from_msg


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
_PLACE = (_Column("x_m", "x", 3), _Column("y_m", "y", 3), _Column("z_m", "z", 3))
_PATIENCE = 10


class LandmarkEcho(Node):
    """Prints a table for each message, or for one only.

    Names come on a topic of their own; the first few messages wait for them.
    """

    def __init__(self, topic: str, is_once: bool) -> None:
        super().__init__("echo_landmarks")
        self.failure: ValueError | None = None
        self._is_once, self._waited = is_once, 0
        self._names: tuple[str, ...] = ()
        namespace, slash, _ = topic.rpartition("/")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(
            String, f"{namespace}{slash}landmark_names", self._on_names, latched
        )
        self.create_subscription(PointCloud2, topic, self._on_landmarks, newest)

    def _on_names(self, message: String) -> None:
        self._names = names_from_msg(message).names

    def _on_landmarks(self, message: PointCloud2) -> None:
        if not self._names and self._waited < _PATIENCE:
            self._waited += 1
            return
        try:
            text = table(landmarks_from_msg(message), self._names)
        except ValueError as error:
            self.failure = error
            self.context.try_shutdown()
            return
        stamp = message.header.stamp
        print(f"{stamp.sec}.{stamp.nanosec:09} {message.header.frame_id}\n{text}", flush=True)
        if self._is_once:
            self.context.try_shutdown()


def table(landmarks: Landmarks, names: Sequence[str]) -> str:
    """Return a table of all people; metres appear where they are known, names likewise."""
    if not len(landmarks.points):
        return "nobody\n"
    is_placed = bool(np.isfinite(landmarks.xyz).any())
    columns = _COLUMNS + (_PLACE if is_placed else ())
    people = zip(landmarks.person_id.tolist(), landmarks.points, strict=True)
    return "\n".join(_person_table(number, row, names, columns) for number, row in people)


def _person_table(
    person_id: int, row: npt.NDArray[Any], names: Sequence[str], columns: Sequence[_Column]
) -> str:
    lines = [f"{f'person {person_id}':<21}" + "".join(f"{c.heading:>11}" for c in columns)]
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
        prog="echo_landmarks", description=__doc__, epilog="Takes --ros-args as well."
    )
    parser.add_argument(
        "topic", nargs="?", default="pose/landmarks", help="default: pose/landmarks"
    )
    parser.add_argument("--once", action="store_true", help="show one message, then end")
    options = parser.parse_args(remove_ros_args(args))
    node = spinning.run(lambda: LandmarkEcho(options.topic, options.once), args)
    if node is None or node.failure is None:
        return 0
    print(f"echo_landmarks: {node.failure}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
