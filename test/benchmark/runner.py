"""A process that tracks frame by frame, with pose_ros or with MediaPipe, and reports the cost.

MediaPipe's environment has nothing of this package: it runs this file by its path, and what an
engine needs is imported in the engine's function only.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MEDIAPIPE_MODELS = ("lite", "full", "heavy")
"""The models that MediaPipe 0.10.21 has too, by its `model_complexity`."""
REST, DETECTOR = "rest", "detector"
STAGES = ("crop", "inference", "decode", "smoothing", REST, DETECTOR)

Track = Callable[[npt.NDArray[np.uint8], int], bool]


class Stopwatch:
    """The CPU time of each stage, without that of stages inside it; the detector's is whole."""

    def __init__(self) -> None:
        self._open = [REST]
        self.restart()

    def restart(self) -> None:
        """Forget all times."""
        self.spent_ns: Counter[str] = Counter()
        self._since_ns = time.process_time_ns()

    def charge(self) -> None:
        """Count the time since the last call for the stage at work."""
        now_ns = time.process_time_ns()
        self.spent_ns[self._open[-1]] += now_ns - self._since_ns
        self._since_ns = now_ns

    def watch(self, owner: type, method: str, stage: str) -> None:
        """Count the calls of a method for a stage, from now on."""
        function = getattr(owner, method)

        @functools.wraps(function)
        def timed(*arguments: object, **named: object) -> object:
            self.charge()
            self._open.append(DETECTOR if self._open[-1] == DETECTOR else stage)
            try:
                return function(*arguments, **named)
            finally:
                self.charge()
                self._open.pop()

        setattr(owner, method, timed)


def pose_ros_engine(settings: dict[str, Any], stopwatch: Stopwatch) -> Track:
    """Return the tracker of this package, its stages watched from outside."""
    import cv2

    from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
    from pose_ros.blazepose.crop import Cropper
    from pose_ros.blazepose.detector import Detector
    from pose_ros.blazepose.engine_model import EngineModel
    from pose_ros.blazepose.landmarker import Landmarker
    from pose_ros.blazepose.smoothing import PoseSmoother
    from pose_ros.blazepose.track import Pipeline

    cv2.setNumThreads(1)
    stopwatch.watch(Cropper, "crop", "crop")
    stopwatch.watch(EngineModel, "run", "inference")
    stopwatch.watch(Landmarker, "predict", "decode")
    stopwatch.watch(Pipeline, "observe", "decode")
    stopwatch.watch(PoseSmoother, "apply", "smoothing")
    stopwatch.watch(Detector, "detect", DETECTOR)
    options = PoseTrackerOptions(
        model=settings["model"],
        static_image_mode=settings["static"],
        intra_op_threads=settings["threads"],
        providers=tuple(settings["providers"]),
        inference=settings["inference"],
    )
    tracker = PoseTracker(options, Path(settings["models_dir"]))
    return lambda image, timestamp_ns: bool(tracker.track(image, timestamp_ns))


def before_engine(settings: dict[str, Any], _stopwatch: Stopwatch) -> Track:
    """Return the tracker of another source tree of this project."""
    sys.path.insert(0, settings["before"])
    import cv2

    from pose_ros.blazepose import PoseTracker, PoseTrackerOptions

    cv2.setNumThreads(1)
    options = PoseTrackerOptions(
        model=settings["model"],
        static_image_mode=settings["static"],
        intra_op_threads=settings["threads"],
        providers=tuple(settings["providers"]),
    )
    tracker = PoseTracker(options, Path(settings["before"]) / "models")
    return lambda image, timestamp_ns: bool(tracker.track(image, timestamp_ns))


def mediapipe_engine(settings: dict[str, Any], _stopwatch: Stopwatch) -> Track:
    """Return MediaPipe's own solution; it steps by 33.333 ms whatever the time stamp is."""
    import mediapipe  # type: ignore[import-not-found, unused-ignore]

    pose = mediapipe.solutions.pose.Pose(
        static_image_mode=settings["static"],
        model_complexity=MEDIAPIPE_MODELS.index(settings["model"]),
    )
    return lambda image, _timestamp_ns: pose.process(image).pose_landmarks is not None


ENGINES = {"pose_ros": pose_ros_engine, "mediapipe": mediapipe_engine, "before": before_engine}


def main() -> None:
    """For each time stamp on stdin, track the frame in the shared file and print its cost."""
    # libraries may print: their output goes to stderr
    with os.fdopen(os.dup(1), "w", buffering=1) as costs:
        os.dup2(2, 1)
        settings = json.loads(sys.argv[1])
        stopwatch = Stopwatch()
        track = ENGINES[settings["engine"]](settings, stopwatch)
        image = np.memmap(settings["image"], np.uint8, "r", shape=tuple(settings["shape"]))
        for line in sys.stdin:
            cost = _measure(track, image.view(np.ndarray), int(line), stopwatch)
            costs.write(json.dumps(cost) + "\n")


def _measure(
    track: Track,
    image: npt.NDArray[np.uint8],
    timestamp_ns: int,
    stopwatch: Stopwatch,
) -> dict[str, Any]:
    stopwatch.restart()
    start_ns = time.perf_counter_ns()
    has_pose = track(image, timestamp_ns)
    wall_ns = time.perf_counter_ns() - start_ns
    stopwatch.charge()
    return {
        "has_pose": has_pose,
        "wall_ms": wall_ns / 1e6,
        "cpu_ms": sum(stopwatch.spent_ns.values()) / 1e6,
        "stage_ms": {stage: ns / 1e6 for stage, ns in stopwatch.spent_ns.items()},
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    """Return the largest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
