"""What `publish_hri` costs where hri_msgs is installed: `python test/benchmark/hri.py`.

Two nodes publish the same frames in turn over DDS, to subscribers in another process: one is asked
for landmarks, the other for the topics of REP 155, all of them and then without the images. The
people fill a third of a VGA image each; they are not estimated, but given.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import rclpy
import running
from outputs.test_motions import at, body, shown
from outputs.test_transforms import FACING
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, JointState, PointCloud2
from synthetic.angles import body_at_angles

from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.hri import NAMESPACE, HriSink
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.packages import import_hri
from pose_ros.outputs.topics import TopicSink

_WARM_UP = 50
_OPTIONS = OutputOptions(publish_hri=True)
_IMAGE = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)


def main() -> int:
    """Measure, and print a line for each number of people; `--listen` is the other process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=500, help="that count (default: 500)")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--listen", choices=("all", "no-images"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.listen:
        return _listen(asked.listen == "all", max(asked.people))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}, {asked.frames} frames each")
    for listen in ("all", "no-images"):
        for count in asked.people:
            words = (f"--listen={listen}", "--people", str(count))
            with running.process(str(Path(__file__).resolve()), *words) as listener:
                landmarks_ms, hri_ms = measure(listener.domain_id, listen == "all", count, asked)
            print(
                f"{listen}, {count} people: {landmarks_ms:.3f} ms a frame for landmarks, "
                f"{hri_ms / count:.3f} ms a frame and person for REP 155",
                flush=True,
            )
    return 0


def measure(
    domain_id: int, with_images: bool, people: int, asked: argparse.Namespace
) -> tuple[float, float]:
    """Return the mean CPU time in ms of publishing a frame: of landmarks, and of REP 155."""
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = LifecycleNode("benchmark", context=context)
    topics, sink = TopicSink(node), HriSink(node)
    node.trigger_configure()
    node.trigger_activate()
    sink.update(_OPTIONS)
    sink.publish(frame_of(0, people))
    sink.update(_OPTIONS)
    names = ("roi", "skeleton2d", "joint_states", *(("cropped",) if with_images else ()))
    wanted = [
        "tracked",
        *(f"p{number}/{name}" for number in range(1, people + 1) for name in names),
    ]

    def are_there() -> bool:
        counts = [node.count_subscribers(f"{NAMESPACE}/{name}") for name in wanted]
        return all(counts) and len(topics.subscribed_outputs()) == 1

    running.until(are_there, "the subscribers")
    costs_ms = []
    for number in range(asked.frames + _WARM_UP):
        frame = frame_of(number, people)
        order: list[TopicSink | HriSink] = [topics, sink] if number % 2 else [sink, topics]
        cost_ms = {id(one): _cost_ms(one.publish, frame) for one in order}
        costs_ms.append([cost_ms[id(topics)], cost_ms[id(sink)]])
    sink.release()
    topics.release()
    node.destroy_node()
    rclpy.shutdown(context=context)
    landmarks_ms, hri_ms = np.mean(costs_ms[_WARM_UP:], axis=0).tolist()
    return landmarks_ms, hri_ms


def _cost_ms(publish: Callable[[Frame], None], frame: Frame) -> float:
    start_s = time.process_time()
    publish(frame)
    return 1000 * (time.process_time() - start_s)


def frame_of(number: int, people: int) -> Frame:
    """People who are 200 px wide and 400 px high."""
    world_m = body_at_angles({"left_elbow_flexion": 60, "left_knee_flexion": 60}) @ FACING.T
    places = np.column_stack((np.linspace(220, 386, 33), np.linspace(60, 393, 33), np.zeros(33)))
    persons = (
        Person(body(index + 1, world_landmarks_m=world_m, landmarks_px=places), at((0, 0, 3)))
        for index in range(people)
    )
    return dataclasses.replace(shown(number, *persons), image=_IMAGE)


def _listen(with_images: bool, people: int) -> int:
    """Subscribe, and receive until killed."""
    types = import_hri()
    kinds = {
        "roi": types.NormalizedRegionOfInterest2D,
        "skeleton2d": types.Skeleton2D,
        "joint_states": JointState,
    }
    kinds |= {"cropped": Image} if with_images else {}
    rclpy.init()
    node = rclpy.create_node("listener")
    topics = {f"p{n}/{name}": kind for n in range(1, people + 1) for name, kind in kinds.items()}
    for name, kind in ({"tracked": types.IdsList} | topics).items():
        node.create_subscription(kind, f"{NAMESPACE}/{name}", lambda _: None, 10)
    node.create_subscription(PointCloud2, "/benchmark/landmarks", lambda _: None, 10)
    rclpy.spin(node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
