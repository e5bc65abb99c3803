"""What the node adds: a camera process, the node and this process, over real DDS.

Run as a module of its own this is the camera.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.time import Time as RosTime
from rclpy.utilities import ok
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from benchmark.core import FRAME_NS, BenchmarkError
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageArray, ImageSize
from pose_ros.outputs.images import image_from_rgb
from pose_ros.runtime import run
from pose_ros.runtime.diagnostics import STAGES
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.children import Child
from pose_ros.tools.frames import open_frames

RATE_HZ = 30.0
_CLIP_FRAMES = 20
_QUEUE = 5
_START_S = 60.0
_SUBSCRIBER_S = 3.0
_DISCOVERY_S = 0.5
_LAST_RESULT_S = 0.5
_RELEASE_S = 15.0
_TICK_HZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Scenario:
    """What the camera sends, and whether the annotated image is subscribed; 0 Hz: no pause."""

    size: ImageSize
    rate_hz: float
    is_annotated: bool

    @property
    def camera(self) -> str:
        """The camera's part, as its process takes it."""
        return json.dumps([*self.size, self.rate_hz])


# The camera process


def clip(video: str, size: ImageSize, count: int = _CLIP_FRAMES) -> list[ImageArray]:
    """Return the first frames of a video, scaled."""
    return [
        np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for frame in islice(open_frames(video), count)
    ]


def camera(video: str, kind: str, duration: str, stamps: str) -> None:
    """Publish messages made beforehand, stamped when sent; then write the stamps to a file."""
    width_px, height_px, rate_hz = json.loads(kind)
    size = ImageSize(width_px, height_px)
    messages = [image_from_rgb(image, Header()) for image in clip(video, size)]
    run.init()
    node = Node("camera")
    publisher = node.create_publisher(Image, "image", QoSProfile(depth=_QUEUE))
    await_subscriber(publisher)
    sent_ns = []
    for message in _paced(messages, rate_hz, float(duration)):
        now_ns = node.get_clock().now().nanoseconds
        message.header.stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
        publisher.publish(message)
        sent_ns.append(now_ns)
    time.sleep(_LAST_RESULT_S)
    Path(stamps).write_text(json.dumps(sent_ns))
    run.shutdown()


def await_subscriber(publisher: Publisher) -> None:
    """Return when the node has subscribed and discovery is complete, or after a time limit."""
    end_s = time.monotonic() + _SUBSCRIBER_S
    while not publisher.get_subscription_count() and time.monotonic() < end_s:
        time.sleep(0.05)
    time.sleep(_DISCOVERY_S)


def _paced(messages: list[Image], rate_hz: float, duration_s: float) -> Iterator[Image]:
    """Yield a message whenever one is due, back and forth so that nothing jumps."""
    start_s = time.monotonic()
    for number, message in enumerate(itertools.cycle(messages + messages[-2:0:-1])):
        due_s = start_s + number / rate_hz if rate_hz else 0.0
        time.sleep(max(0.0, due_s - time.monotonic()))
        if not ok() or time.monotonic() - start_s >= duration_s:
            return
        yield message


# The process that measures


class MeasuredChild(Child):
    """A child whose CPU time can be read while it runs."""

    def cpu_s(self) -> float:
        """Return user and system time so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICK_HZ


class _Listener(Node):
    """Records when landmarks arrive, and the stage times in the node's diagnostics."""

    def __init__(self, node_cpu_s: Callable[[], float]) -> None:
        super().__init__("listener")
        self._node_cpu_s = node_cpu_s
        self._diagnostics = self.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, _QUEUE
        )
        self.clear()

    def clear(self) -> None:
        """Start a new record."""
        self.latency_ms: dict[int, float] = {}
        self.arrivals: list[tuple[float, float]] = []
        self.stage_ms: dict[str, list[float]] = {stage: [] for stage in STAGES}

    @contextmanager
    def listening(self, *, is_annotated: bool) -> Iterator[None]:
        """Subscribe to the landmarks, and perhaps to the annotated image, for a while."""
        subscriptions: list[Subscription] = [
            self.create_subscription(PointCloud2, "pose/landmarks", self._on_landmarks, _QUEUE)
        ]
        if is_annotated:
            subscriptions.append(
                self.create_subscription(
                    Image, "pose/annotated_image", lambda _: None, _QUEUE, raw=True
                )
            )
        try:
            yield
        finally:
            for subscription in subscriptions:
                self.destroy_subscription(subscription)

    def _on_landmarks(self, message: PointCloud2) -> None:
        now_ns = self.get_clock().now().nanoseconds
        stamp_ns = RosTime.from_msg(message.header.stamp).nanoseconds
        self.latency_ms[stamp_ns] = (now_ns - stamp_ns) / 1e6
        self.arrivals.append((time.monotonic(), self._node_cpu_s()))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            for stage in STAGES:
                if f"{stage} ms mean" in values:
                    self.stage_ms[stage].append(float(values[f"{stage} ms mean"]))


class NodeBenchmark:
    """Starts the node once, and a camera for every scenario. Raises BenchmarkError."""

    def __init__(self, video: str, model: str, duration_s: float, folder: Path) -> None:
        self._video, self._model = video, model
        self._duration_s, self._folder = duration_s, folder

    def measure(self, sizes: tuple[ImageSize, ...], *, with_idle: bool = True) -> dict[str, Any]:
        """Return the figures of all scenarios, and of the node without subscribers."""
        core_ms = {size: self._core_ms(size) for size in sizes}
        self._node = self._start("pose_ros.node", "--ros-args", "-p", f"model:={self._model}")
        try:
            self._listener = _Listener(self._node.cpu_s)
            self._executor = SingleThreadedExecutor()
            self._executor.add_node(self._listener)
            self._wait(lambda: self._count("pose/landmarks") > 0, _START_S, "the node's topics")
            scenarios = [
                Scenario(size, rate_hz, is_annotated)
                for size, rate_hz, is_annotated in itertools.product(
                    sizes, (RATE_HZ, 0.0), (False, True)
                )
            ]
            rows = [self._play(scenario, core_ms[scenario.size]) for scenario in scenarios]
            idle = self._idle(sizes[0]) if with_idle else None
            return {"scenarios": rows, "idle": idle}
        finally:
            self._node.stop()

    def _play(self, scenario: Scenario, core_ms: float) -> dict[str, Any]:
        self._listener.clear()
        stamps = self._folder / "stamps.json"
        with self._listener.listening(is_annotated=scenario.is_annotated):
            source = self._start_camera(scenario, self._duration_s, stamps)
            timeout_s = self._duration_s + _START_S
            self._wait(lambda: source.exit_code is not None, timeout_s, "the camera's end")
        if source.exit_code:
            raise BenchmarkError(f"the camera failed:\n{source.last_lines()}")
        return self._figures(scenario, json.loads(stamps.read_text()), core_ms)

    def _figures(self, scenario: Scenario, sent_ns: list[int], core_ms: float) -> dict[str, Any]:
        latency_ms, arrivals = self._listener.latency_ms, self._listener.arrivals
        if len(arrivals) < 2:
            raise BenchmarkError(f"{len(arrivals)} of {len(sent_ns)} frames were processed")
        (first_s, first_cpu_s), (last_s, last_cpu_s) = arrivals[0], arrivals[-1]
        median_ms, p95_ms = np.percentile(list(latency_ms.values()), (50, 95))
        return {
            "size": list(scenario.size),
            "camera_hz": (len(sent_ns) - 1) * 1e9 / (sent_ns[-1] - sent_ns[0]),
            "is_paced": scenario.rate_hz > 0,
            "is_annotated": scenario.is_annotated,
            "sent": len(sent_ns),
            "processed": len(latency_ms),
            "dropped": len(sent_ns) - len(latency_ms),
            "processed_hz": (len(arrivals) - 1) / (last_s - first_s),
            "latency_ms": {"median": float(median_ms), "p95": float(p95_ms)},
            "core_ms": core_ms,
            "over_core_ms": float(median_ms) - core_ms,
            "node_stage_ms": {
                stage: float(np.mean(values)) if values else None
                for stage, values in self._listener.stage_ms.items()
            },
            "node_cpu_ms": 1e3 * (last_cpu_s - first_cpu_s) / (len(arrivals) - 1),
        }

    def _idle(self, size: ImageSize) -> dict[str, Any]:
        """Return the node's load without subscribers, and the time to its first landmarks then."""
        self._listener.clear()
        scenario = Scenario(size, RATE_HZ, is_annotated=False)
        source = self._start_camera(scenario, _START_S, self._folder / "idle.json")
        self._wait(lambda: self._count("image") > 0, _START_S, "the camera")
        self._spin(_SUBSCRIBER_S + _DISCOVERY_S)
        end_s = time.monotonic() + _RELEASE_S
        while self._is_camera_subscribed() and time.monotonic() < end_s:
            self._spin(0.1)
        is_released = not self._is_camera_subscribed()
        start_s, start_cpu_s = time.monotonic(), self._node.cpu_s()
        self._spin(self._duration_s)
        load = (self._node.cpu_s() - start_cpu_s) / (time.monotonic() - start_s)
        start_s = time.monotonic()
        with self._listener.listening(is_annotated=False):
            self._wait(lambda: bool(self._listener.arrivals), _START_S, "the first landmarks")
        first_s, _ = self._listener.arrivals[0]
        source.stop()
        return {"cpu_share": load, "camera_released": is_released, "wake_up_s": first_s - start_s}

    def _core_ms(self, size: ImageSize) -> float:
        """Return the median wall time of a tracked frame without any ROS, in this process."""
        cv2.setNumThreads(1)
        tracker = PoseTracker(PoseTrackerOptions(model=self._model), share_path("models"))
        images = clip(self._video, size)
        walls_ms = []
        for number, image in enumerate(images + images[-2:0:-1]):
            start_ns = time.perf_counter_ns()
            tracker.track(image, (number + 1) * FRAME_NS)
            walls_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        return float(np.median(walls_ms[1:]))

    def _start_camera(self, scenario: Scenario, duration_s: float, stamps: Path) -> MeasuredChild:
        return self._start(__name__, self._video, scenario.camera, str(duration_s), str(stamps))

    def _start(self, module: str, *arguments: str) -> MeasuredChild:
        return MeasuredChild(module, list(arguments), self._folder / f"{module}.log")

    def _count(self, topic: str) -> int:
        return int(self._listener.count_publishers(topic))

    def _is_camera_subscribed(self) -> bool:
        return bool(self._listener.count_subscribers("image"))

    def _spin(self, duration_s: float) -> None:
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.1)

    def _wait(self, is_done: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Spin until something has happened; BenchmarkError if it does not, or the node ends."""
        end_s = time.monotonic() + timeout_s
        while not is_done():
            self._executor.spin_once(timeout_sec=0.05)
            if self._node.exit_code is not None:
                raise BenchmarkError(f"the node ended:\n{self._node.last_lines()}")
            if time.monotonic() > end_s:
                raise BenchmarkError(f"timed out after {timeout_s:g} s waiting for {what}")


if __name__ == "__main__":
    camera(*sys.argv[1:])
