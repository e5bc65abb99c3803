"""One node and its camera in a namespace of their own, and what is seen of them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.node import MeasuredChild
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2

from soak.camera import CameraSettings
from soak.record import Record, Result, Sample, Span, read_frames

_QUEUE = 50
_SHARED_MEMORY = Path("/dev/shm")
_LEVELS = {
    DiagnosticStatus.OK: "OK",
    DiagnosticStatus.WARN: "WARN",
    DiagnosticStatus.ERROR: "ERROR",
}
_BEFORE_KILL_NS = 300_000_000
_CAMERA_BACK_S = 30.0


class SoakError(Exception):
    """The run was not possible; says nothing about the node."""


class Rig:
    """Starts and ends the two processes, and records what is seen of them."""

    def __init__(
        self, number: int, parameters: dict[str, Any], settings: CameraSettings, folder: Path
    ) -> None:
        self.name = f"/camera{number}"
        self.record = Record(self.name, settings.rate_hz)
        self._settings, self._folder = settings, folder
        self._frame_logs: list[Path] = []
        self.camera: MeasuredChild | None = None
        self._node_log = folder / f"node{number}.log"
        given = {**parameters, "no_image_timeout_s": 2.0}
        ros_args = [word for item in given.items() for word in ("-p", "{}:={}".format(*item))]
        self.node = MeasuredChild(
            "pose_ros.node", ["--ros-args", *self._remap(), *ros_args], self._node_log
        )

    def _remap(self) -> tuple[str, str]:
        return ("-r", f"__ns:={self.name}")

    # The node's outputs

    def watch(self, watcher: Node, *, is_annotated: bool) -> None:
        """Subscribe to the node's outputs."""
        for message_type, topic, callback in (
            (PointCloud2, f"{self.name}/pose/landmarks", self._on_landmarks),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics),
        ):
            watcher.create_subscription(message_type, topic, callback, _QUEUE)
        if is_annotated:
            topic = f"{self.name}/pose/annotated_image"
            watcher.create_subscription(Image, topic, self._on_annotated, _QUEUE, raw=True)

    def _on_landmarks(self, message: PointCloud2) -> None:
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        self.record.results.append(Result(stamp_ns, time.monotonic_ns()))
        self.record.most_people = max(self.record.most_people, message.height)

    def _on_annotated(self, _message: bytes) -> None:
        self.record.annotated += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(f"{self.name}/"):
                text = re.sub(r"\d+(\.\d+)?", "N", status.message)
                self.record.states[f"{_LEVELS[status.level]}: {text}"] += 1
                values = {item.key: item.value for item in status.values}
                self.record.dropped = int(values["dropped total"])
                self.record.rejected = int(values["rejected total"])

    # Processes

    def start_camera(self) -> None:
        """Start the camera; each of its runs has a log and a seed of its own."""
        run = len(self._frame_logs)
        stem = f"{self.name.strip('/')}_{run}"
        seed = self._settings.seed
        settings = self._settings._replace(seed=None if seed is None else seed + run)
        frame_log = self._folder / f"{stem}.csv"
        self._frame_logs.append(frame_log)
        arguments = [json.dumps(settings), str(frame_log), "--ros-args", *self._remap()]
        module = "soak.camera"
        self.camera = MeasuredChild(module, arguments, self._folder / f"{stem}.log")

    def kill_camera(self) -> None:
        """Kill the camera as a crash does, and remove the memory that it shared."""
        camera, self.camera = self.camera, None
        if camera is None:
            return
        segments = segments_of(camera.pid)
        now_ns = time.monotonic_ns()
        os.kill(camera.pid, signal.SIGKILL)
        camera.stop()
        remove_unowned(segments)
        self.record.restarts += 1
        self.record.spans.append(Span("camera killed", now_ns - _BEFORE_KILL_NS, now_ns))

    def sample(self) -> None:
        """Record the state of the node's process."""
        folder = Path(f"/proc/{self.node.pid}")
        with suppress(OSError, KeyError):  # it has just ended
            lines = (folder / "status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines)
            memory_mb, *shared_mb = (
                int(status[key].split()[0]) / 1024 for key in ("VmRSS", "RssShmem")
            )
            self.record.samples.append(
                Sample(
                    time.monotonic_ns(),
                    memory_mb,
                    sum(shared_mb),
                    int(status["Threads"]),
                    len(os.listdir(folder / "fd")),
                    self.node.cpu_s(),
                )
            )

    @property
    def is_alive(self) -> bool:
        """Whether the node runs; SoakError if the camera has ended by itself."""
        if self.camera and self.camera.exit_code is not None:
            raise SoakError(f"the camera of {self.name} ended:\n{self.camera.last_lines()}")
        return self.node.exit_code is None

    @property
    def is_asked(self) -> bool:
        """Whether the node has requests that it has not answered yet."""
        return any(item.is_accepted is None for item in self.record.requests)

    def stop_camera(self) -> None:
        """End the camera cleanly."""
        if self.camera:
            self.camera.stop()
            self.camera = None

    def stop(self) -> None:
        """End both."""
        self.record.ended_early = self.node.exit_code is not None
        self.stop_camera()
        self.node.stop()

    def drop_pending(self) -> None:
        """Drop the requests whose response a signal prevented."""
        requests = self.record.requests
        self.record.requests = [item for item in requests if item.is_accepted is not None]

    def finish(self) -> Record:
        """Return the record, completed with the logs of the processes."""
        record = self.record
        record.frames = read_frames(self._frame_logs)
        record.log = self._node_log.read_text(encoding="utf-8", errors="replace")
        record.exit_code = self.node.exit_code
        return record


def segments_of(pid: int) -> set[str]:
    """Return the names of Fast DDS's shared memory that a process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return set(re.findall(rf"{_SHARED_MEMORY}/(fast(?:dds|rtps)_[0-9a-f]{{16}})\b", maps))


def remove_unowned(segments: set[str]) -> None:
    """Remove those whose owner no longer holds their lock: they would stay forever."""
    for name in segments:
        lock_path = _SHARED_MEMORY / f"{name}_el"
        with suppress(OSError), lock_path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in (_SHARED_MEMORY / name, lock_path):
                path.unlink(missing_ok=True)
