"""What `~/people`, the target and `~/joint_states` cost: `python test/benchmark/following.py`.

Nodes publish the same frames in turn over DDS, to subscribers in another process: one is asked for
landmarks only, the others for some of these topics too. Printed is what they use more, by people
in the frame. The poses are not estimated, but given.
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
import rclpy
import running
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from outputs.test_motions import FRAME_NS, at, body, shown
from outputs.test_transforms import FACING
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode
from running import Process
from sensor_msgs.msg import JointState, PointCloud2
from synthetic.angles import body_at_angles

from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.outputs import Outputs
from pose_ros.outputs.topics import TopicSink

TYPES = {
    "landmarks": PointCloud2,
    "people": PointCloud2,
    "target": PoseStamped,
    "target/odometry": Odometry,
    "joint_states": JointState,
}
TOPICS = {
    "landmarks_only": ("landmarks",),
    "with_target": ("landmarks", "people", "target"),
    "with_odometry": ("landmarks", "people", "target", "target/odometry"),
    "with_joints": ("landmarks", "joint_states"),
}
"""Which of them are asked for."""
SIDES = ("left", "right")
_WARM_UP = 50
_HOLD_S = 2.0


def main() -> int:
    """Measure, and print a line for each number of people; `--listen` is the other process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=1000, help="that count (default: 1000)")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--listen", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.listen:
        return _listen()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}, {asked.frames} frames each")
    with running.process(str(Path(__file__).resolve()), "--listen") as listener:
        for count in asked.people:
            base_ms, *more_ms = measure(listener, count, asked.frames)
            target_ms, odometry_ms, joints_ms = ((ms - base_ms) / count for ms in more_ms)
            print(
                f"{count} people: {base_ms:.3f} ms a frame for landmarks; a frame and person "
                f"{target_ms:.3f} ms more for people and target, {odometry_ms:.3f} with odometry, "
                f"{joints_ms:.3f} for joints",
                flush=True,
            )
    return 0


def measure(listener: Process, people: int, frames: int) -> list[float]:
    """Return the mean CPU time in ms of publishing a frame, for each of `TOPICS`."""
    context = Context()
    rclpy.init(context=context, domain_id=listener.domain_id)
    publishers = [Publisher(name, context) for name in TOPICS]
    try:
        running.until(lambda: all(one.is_heard for one in publishers), "the subscribers")
        costs_ms = []
        for number in range(frames + _WARM_UP):
            frame = frame_of(number, people)
            order = publishers if number % 2 else publishers[::-1]
            cost_ms = {one: one.publish(frame) for one in order}
            costs_ms.append([cost_ms[one] for one in publishers])
    finally:
        for one in publishers:
            one.close()
        rclpy.shutdown(context=context)
    means_ms: list[float] = np.mean(costs_ms[_WARM_UP:], axis=0).tolist()
    return means_ms


class Publisher:
    """The outputs of an active node."""

    def __init__(self, name: str, context: Context) -> None:
        self._name = name
        self._node = LifecycleNode(name, context=context)
        self._topics = TopicSink(self._node)
        self._outputs = Outputs(self._node, self._topics)
        self._outputs.update(OutputOptions(follow="nearest"))
        self._node.trigger_configure()
        self._node.trigger_activate()

    @property
    def is_heard(self) -> bool:
        """Whether all subscribers are there."""
        return len(self._topics.subscribed_outputs()) == len(TOPICS[self._name])

    def publish(self, frame: Frame) -> float:
        """Publish a frame; return the CPU time of the whole process in ms."""
        start_s = time.process_time()
        self._outputs.publish(frame, self._outputs.demand(locates_always=False), _HOLD_S)
        return 1000 * (time.process_time() - start_s)

    def close(self) -> None:
        self._outputs.release()
        self._topics.release()
        self._node.destroy_node()


def frame_of(number: int, people: int) -> Frame:
    """People who walk to the right, side by side."""
    x_m = number * FRAME_NS * 1e-9 % 2
    bent = body_at_angles(
        {f"{side}_{joint}_flexion": 60 for side in SIDES for joint in ("elbow", "knee")}
    )
    persons = (
        Person(body(index + 1, world_landmarks_m=bent @ FACING.T), at((x_m, 0, 3 + index)))
        for index in range(people)
    )
    return shown(number, *persons, follow="nearest")


def _listen() -> int:
    """Subscribe, and receive until killed."""
    rclpy.init()
    node = rclpy.create_node("listener")
    for name, topics in TOPICS.items():
        for topic in topics:
            node.create_subscription(TYPES[topic], f"/{name}/{topic}", lambda _: None, 10)
    rclpy.spin(node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
