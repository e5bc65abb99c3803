"""What the annotated image costs: `python test/benchmark/annotated.py [TREE...]`.

Nodes of one or several source trees get the same images of one camera, over DDS with the shipped
profile. They take turns: a reliable subscriber of another process asks one of them for landmarks
only, or for the annotated image too. Printed are the medians of CPU time and page faults of the
node, a frame. A tree needs its `.venv`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, PointCloud2

from benchmark import node as benchmark_node
from pose_ros.tools.children import isolate

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ, QUEUE = 30.0, 5
SETTLE_S, BETWEEN_S = 2.0, 0.7
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """CPU time and page faults of one frame, and how many frames they were measured in."""

    cpu_ms: float
    faults: float
    frames: int


def main() -> int:
    """Measure, and print a line for each tree and kind of subscriber."""
    asked = _arguments()
    if asked.camera:
        benchmark_node.camera(*asked.camera)
        return 0
    isolate()
    rclpy.init()
    watcher = Watcher(asked.seconds)
    print(f"load average {os.getloadavg()[0]:.1f}, {asked.size[0]}x{asked.size[1]}")
    with contextlib.ExitStack() as stack:
        trees = [stack.enter_context(_node(tree, n)) for n, tree in enumerate(asked.trees)]
        stack.enter_context(_camera(asked.size))
        watcher.spin(10 * SETTLE_S)
        for is_annotated, tree in itertools.product((False, True), range(len(trees))):
            watcher.costs[is_annotated, tree] = []
        for round_ in range(asked.rounds):
            order = list(watcher.costs)[:: -1 if round_ % 2 else 1]
            for is_annotated, tree in order:
                watcher.measure(is_annotated, tree, trees[tree])
        _print(watcher.costs, asked.trees)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[ROOT], metavar="TREE")
    parser.add_argument("--size", nargs=2, type=int, default=[1920, 1080], metavar=("W", "H"))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--camera", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextlib.contextmanager
def _node(tree: Path, number: int) -> Iterator[int]:
    """Run the node of a tree; yield its process id."""
    python, name = tree.resolve() / ".venv/bin/python", f"__node:=node_{number}"
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(python.parents[1])}
    command = [python, "-m", "pose_ros.node", "--ros-args", "--log-level", "error", "-r", name]
    with _running(command, cwd=tree, env=environment) as process:
        yield process.pid


@contextlib.contextmanager
def _camera(size: list[int]) -> Iterator[None]:
    clip, kind = str(ROOT / "docs/demo/walker.mp4"), json.dumps([*size, RATE_HZ])
    command = [sys.executable, __file__, "--camera", clip, kind, "3600", os.devnull]
    with _running(command):
        yield


@contextlib.contextmanager
def _running(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Watcher(Node):
    """The subscriber, which reads what the nodes use meanwhile."""

    def __init__(self, seconds: float) -> None:
        super().__init__("watcher")
        self.costs: dict[tuple[bool, int], list[Cost]] = {}
        self._seconds, self._frames = seconds, 0

    def spin(self, seconds: float) -> None:
        """Take messages for a while."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            rclpy.spin_once(self, timeout_sec=0.05)

    def measure(self, is_annotated: bool, tree: int, pid: int) -> None:
        """Subscribe to a node for a while, and keep what it used a frame."""
        topic, ends = f"/node_{tree}/landmarks", []
        ends.append(self.create_subscription(PointCloud2, topic, self._count, QUEUE))
        if is_annotated:
            topic, qos = f"/node_{tree}/annotated_image", QoSProfile(depth=QUEUE)
            ends.append(self.create_subscription(Image, topic, lambda _: None, qos, raw=True))
        self.spin(SETTLE_S)
        start, self._frames = _used(pid), 0
        self.spin(self._seconds)
        cpu_ms, faults = (now - then for now, then in zip(_used(pid), start, strict=True))
        frames = max(self._frames, 1)
        self.costs[is_annotated, tree].append(Cost(cpu_ms / frames, faults / frames, frames))
        for end in ends:
            self.destroy_subscription(end)
        self.spin(BETWEEN_S)

    def _count(self, _message: PointCloud2) -> None:
        self._frames += 1


def _used(pid: int) -> tuple[float, int]:
    """Return CPU time in ms and page faults of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_MS, int(fields[7])


def _print(costs: dict[tuple[bool, int], list[Cost]], trees: list[Path]) -> None:
    for (is_annotated, tree), measured in costs.items():
        first = costs[is_annotated, 0]
        ratios = [now.cpu_ms / then.cpu_ms for now, then in zip(measured, first, strict=True)]
        what = "landmarks and annotated image" if is_annotated else "landmarks"
        print(
            f"{trees[tree]}, {what}: CPU {statistics.median(c.cpu_ms for c in measured):.1f} ms "
            f"(x{statistics.median(ratios):.2f} of the first tree), "
            f"{statistics.median(c.faults for c in measured):.0f} page faults a frame; "
            f"frames {[c.frames for c in measured]}"
        )


if __name__ == "__main__":
    sys.exit(main())
