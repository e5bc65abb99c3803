"""Measure what each model costs on this machine: time per image, images per second, memory.

The tracker runs on a video without ROS, each case in a process of its own. For several people an
image shows that many copies of the video, side by side. The node needs a few ms more per image to
receive it and to publish the results.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_ros.blazepose import PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.models import MODELS
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.arguments import people_count, positive_count
from pose_ros.tools.children import guarded
from pose_ros.tools.command import interruptible, run_command
from pose_ros.tools.frame import repeated
from pose_ros.tools.frames import open_frames
from pose_ros.tools.opencv_files import silence

_MODULE = "pose_ros.tools.benchmark"
_WARM_UP, _FRAME_NS = 10, 33_333_333
_CALLERS = 2  # threads that share the people, as the node has them by default


@dataclass(frozen=True)
class Case:
    """What is measured: a model, the threads it may use, and the people in an image."""

    model: str
    threads: int
    people: int

    @property
    def options(self) -> PoseTrackerOptions:
        """Threads share the people first; what is left of them shares an inference."""
        callers = min(self.threads, self.people, _CALLERS)
        return PoseTrackerOptions(
            model=self.model,
            max_persons=self.people,
            people_threads=callers,
            intra_op_threads=self.threads // callers,
        )


@dataclass(frozen=True)
class Cost(Case):
    """What tracking costs per image (wall time), and the process's largest resident memory.

    `tracked` is the mean number of people tracked. While it is less than `people`, the detector
    runs, too, and `mean_ms` means little. `inference` is what runs the landmark model.
    """

    images: int
    mean_ms: float
    p95_ms: float
    rate_hz: float
    memory_mb: float
    tracked: float
    inference: str


_HEADINGS = "model      threads  people   mean ms   p95 ms      Hz  memory MB  tracked  inference"


def measure(case: Case, video: str, count: int) -> Cost:
    """Track `count` images of a video in this process. Raises PoseError."""
    tracker = PoseTracker(case.options, share_path("models"))
    frames = islice(repeated(open_frames(video), None), _WARM_UP + count)
    times_ms, tracked = [], []
    for number, (frame, _) in enumerate(frames):
        image = copies(frame, case.people)
        start_ns = time.perf_counter_ns()
        poses = tracker.track(image, (number + 1) * _FRAME_NS)
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        tracked.append(len(poses))
    measured_ms = times_ms[_WARM_UP:]
    if not measured_ms:
        raise PoseError(f"{video} has no frame that can be read")
    mean_ms = float(np.mean(measured_ms))
    return Cost(
        **asdict(case),
        images=count,
        mean_ms=mean_ms,
        p95_ms=float(np.percentile(measured_ms, 95)),
        rate_hz=1e3 / mean_ms,
        memory_mb=_peak_memory_mb(),
        tracked=float(np.mean(tracked[_WARM_UP:])),
        inference=tracker.network.runtime,
    )


def copies(image: ImageArray, count: int) -> ImageArray:
    """Return an image that is no larger and shows `count` copies of an image."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    if count == 1:
        return image
    small = cv2.resize(image, None, fx=1 / columns, fy=1 / columns, interpolation=cv2.INTER_AREA)
    shown = np.tile(small, (rows, columns, 1))
    shown[(rows - 1) * small.shape[0] :, (count - (rows - 1) * columns) * small.shape[1] :] = 0
    return np.asarray(shown, np.uint8)


def _peak_memory_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _measure_apart(case: Case, video: str, count: int) -> Cost:
    """Measure in a process of its own, so that the memory is that of one case."""
    asked = ["--models", case.model, "--threads", str(case.threads), "--people", str(case.people)]
    arguments = ["--video", video, *asked, "--images", str(count), "--json"]
    command = guarded(_MODULE, arguments)  # a signal may come before `run` knows its process
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().removeprefix("benchmark: ")
        raise PoseError(reason or f"{case} ended with exit code {done.returncode}")
    return Cost(**json.loads(done.stdout)["costs"][0])


def costs(options: argparse.Namespace) -> Iterator[Cost]:
    """Yield the cost of each model, number of threads and of people. Raises PoseError."""
    given = product(options.models, options.threads, options.people)
    cases = [Case(*values) for values in given]
    measure_case = measure if len(cases) == 1 else _measure_apart
    for case in cases:
        yield measure_case(case, options.video, options.images)


def main(args: list[str] | None = None) -> int:
    """Measure what the command line names; return the exit code."""
    options = _parser().parse_args(args)
    return run_command("benchmark", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    silence()
    with interruptible():
        open_frames(options.video)
        (_print_json if options.json else _print_table)(options)
    return 0


def _print_table(options: argparse.Namespace) -> None:
    machine = _machine()
    print("{processor} ({architecture}), {cores} cores, load {load_average:.1f}".format(**machine))
    print(_HEADINGS, flush=True)
    for cost in costs(options):
        case = f"{cost.model:<10}{cost.threads:>8}{cost.people:>8}"
        times = f"{cost.mean_ms:10.1f}{cost.p95_ms:9.1f}{cost.rate_hz:8.1f}"
        print(
            f"{case}{times}{cost.memory_mb:11.0f}{cost.tracked:9.1f}  {cost.inference}", flush=True
        )


def _print_json(options: argparse.Namespace) -> None:
    measured = [asdict(cost) for cost in costs(options)]
    report = {**_machine(), "video": options.video, "costs": measured}
    print(json.dumps(report, indent=1))


def _machine() -> dict[str, Any]:
    """Return what figures depend on; the cores are those that this process may use."""
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = re.findall(r"^model(?: name)?\s*: *(\S.*)", described, re.MULTILINE | re.IGNORECASE)
    words = [name for name in names if not name.isdecimal()]
    return {
        "processor": words[-1] if words else "unknown processor",
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    clip = str(share_path("demo") / "walker.mp4")
    threads = [count for count in (1, 2, 4) if count <= len(os.sched_getaffinity(0))]
    add = parser.add_argument
    add("--video", default=clip, metavar="FILE", help="default: our clip")
    add("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    add("--threads", nargs="+", type=positive_count, default=threads, metavar="N")
    add("--people", nargs="+", type=people_count, default=[1, 4], metavar="N", help="default: 1 4")
    add("--images", type=positive_count, default=60, metavar="N", help="default: 60")
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
