"""What the gesture node costs: `python test/benchmark/gestures.py`.

The real node, in a process of its own, gets landmarks of people whose arms wave, at 30 Hz, from
this one. Printed is the CPU time of its whole process, middleware included, by frame and person,
with one subscriber to `~/gestures` and with one to each topic. Beside it is what a node costs that
receives the landmarks and does nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from node.test_gesture_node import NODE, TYPES, Robot, cloud, robot
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from synthetic.postures import HANGING, body_in_posture, waving_arm

from pose_ros.runtime import run

_HZ = 30
RECEIVER = (str(Path(__file__).resolve()), "--receive")
_WARM_UP = 60


def main() -> int:
    """Measure, and print a line for each number of people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=600, help="that count (default: 600)")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    asked, _ = parser.parse_known_args()
    if asked.receive:
        run.run(Receiver)
        return 0
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}, {asked.frames} frames each")
    for count in asked.people:
        costs_ms = {
            "nothing done": measure(count, asked.frames, (), RECEIVER),
            "gestures": measure(count, asked.frames, ("gestures",)),
            "all topics": measure(count, asked.frames, tuple(TYPES)),
        }
        texts = [f"{ms / count:.3f} ms with {name}" for name, ms in costs_ms.items()]
        print(f"{count} people, a frame and person: {', '.join(texts)}", flush=True)
    return 0


class Receiver(Node):
    """Receives landmarks, and does nothing with them."""

    def __init__(self) -> None:
        super().__init__("receiver")
        self.create_subscription(PointCloud2, "landmarks", lambda _: None, 10)
        self.get_logger().info("waiting for landmarks")


def measure(
    people: int, frames: int, topics: tuple[str, ...], command: tuple[str, ...] = NODE
) -> float:
    """Return the mean CPU time in ms of the node's process for a frame."""
    with robot(command=command) as made:
        made.subscribe(*topics)
        messages = [crowd(index, people) for index in range(frames + _WARM_UP)]
        publish(made, messages[:_WARM_UP])
        before_s = made.process.cpu_s
        publish(made, messages[_WARM_UP:])
        return 1000 * (made.process.cpu_s - before_s) / frames


def publish(made: Robot, messages: list[PointCloud2]) -> None:
    """Publish messages at 30 Hz; what comes back is received and dropped."""
    next_s = time.monotonic()
    for message in messages:
        made.publish(message)
        next_s += 1 / _HZ
        time.sleep(max(next_s - time.monotonic(), 0.0))


def crowd(index: int, people: int) -> PointCloud2:
    """Landmarks of people who stand and wave; every other one points."""
    stamp_ns = 10**12 + round(index * 1e9 / _HZ)
    pointing = ((0.3, 0.1, -1.0), (0.3, 0.1, -1.0))
    rows = [
        cloud(
            body_in_posture("standing", pointing)
            if number % 2
            else body_in_posture("standing", HANGING, waving_arm(index / _HZ)),
            stamp_ns,
            person_id=number + 1,
        )
        for number in range(people)
    ]
    message = rows[0]
    message.height = people
    message.data = np.concatenate([np.asarray(row.data, np.uint8) for row in rows]).tobytes()
    return message


if __name__ == "__main__":
    sys.exit(main())
