"""Measure what each model costs on this machine: time per image, images per second, memory.

The tracker runs on a video without ROS, each model and number of threads in a process of its own.
The node needs a few ms more per image to receive it and to publish the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path

import numpy as np

from pose_ros.blazepose import PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.models import MODELS
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.arguments import positive_count
from pose_ros.tools.command import interruptible, run_command
from pose_ros.tools.frame import repeated
from pose_ros.tools.frames import open_frames
from pose_ros.tools.opencv_files import silence

_MODULE = "pose_ros.tools.benchmark"
_WARM_UP, _FRAME_NS = 10, 33_333_333


@dataclass(frozen=True)
class Cost:
    """What tracking costs per image (wall time), and the process's largest resident memory.

    `pose_share` is the share of images with a pose: without one, only the detector runs.
    """

    model: str
    threads: int
    images: int
    mean_ms: float
    p95_ms: float
    rate_hz: float
    memory_mb: float
    pose_share: float


_HEADINGS = "model      threads   mean ms   p95 ms      Hz  memory MB  with pose"


def measure(model: str, threads: int, video: str, count: int) -> Cost:
    """Track `count` images of a video in this process. Raises PoseError."""
    options = PoseTrackerOptions(model=model, intra_op_threads=threads)
    tracker = PoseTracker(options, share_path("models"))
    frames = islice(repeated(open_frames(video), None), _WARM_UP + count)
    times_ms, with_pose = [], 0
    for number, (image, _) in enumerate(frames):
        start_ns = time.perf_counter_ns()
        poses = tracker.track(image, (number + 1) * _FRAME_NS)
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        with_pose += bool(poses) and number >= _WARM_UP
    measured_ms = times_ms[_WARM_UP:]
    if not measured_ms:
        raise PoseError(f"{video} has no frame that can be read")
    mean_ms, p95_ms = float(np.mean(measured_ms)), float(np.percentile(measured_ms, 95))
    share = with_pose / count
    return Cost(model, threads, count, mean_ms, p95_ms, 1e3 / mean_ms, _peak_memory_mb(), share)


def _peak_memory_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _measure_apart(model: str, threads: int, video: str, count: int) -> Cost:
    """Measure in a process of its own, so that the memory is that of one model."""
    arguments = ["--models", model, "--threads", str(threads), "--images", str(count)]
    command = [sys.executable, "-m", _MODULE, "--video", video, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().removeprefix("benchmark: ")
        raise PoseError(reason or f"{model} ended with exit code {done.returncode}")
    return Cost(**json.loads(done.stdout)["costs"][0])


def costs(options: argparse.Namespace) -> Iterator[Cost]:
    """Yield the cost of each model with each number of threads. Raises PoseError."""
    cases = list(product(options.models, options.threads))
    measure_case = measure if len(cases) == 1 else _measure_apart
    for model, threads in cases:
        yield measure_case(model, threads, options.video, options.images)


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
    print(_HEADINGS, flush=True)
    for cost in costs(options):
        times = f"{cost.mean_ms:10.1f}{cost.p95_ms:9.1f}{cost.rate_hz:8.1f}"
        rest = f"{cost.memory_mb:11.0f}{cost.pose_share:11.0%}"
        print(f"{cost.model:<10}{cost.threads:>8}{times}{rest}", flush=True)


def _print_json(options: argparse.Namespace) -> None:
    report = {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "video": options.video,
        "costs": [asdict(cost) for cost in costs(options)],
    }
    print(json.dumps(report, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    clip = str(share_path("demo") / "walker.mp4")
    threads = [count for count in (1, 2, 4) if count <= (os.cpu_count() or 1)]
    parser.add_argument("--video", default=clip, metavar="FILE", help="default: our clip")
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument(
        "--threads",
        nargs="+",
        type=positive_count,
        default=threads,
        metavar="N",
    )
    parser.add_argument(
        "--images", type=positive_count, default=100, metavar="N", help="default: 100"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
