"""Run the pose node for a long time over real DDS, with cameras that fail and parameters that
change all the time, or at full load; judge memory, latency, processed and rejected images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import media
from benchmark.report import circumstances, image_size
from detections import STAND_IN
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import ok

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.runtime import run
from pose_ros.tools.arguments import positive_count, positive_number
from pose_ros.tools.children import isolate
from pose_ros.tools.frames import open_frames
from pose_ros.tools.progress import Progress
from soak.camera import CameraSettings
from soak.faults import Faults
from soak.figures import fairness, figures
from soak.judge import Bounds, judge
from soak.plot import check_plot, plot
from soak.record import Record
from soak.rig import Rig, SoakError
from soak.text import as_text

_START_S = 60.0
_SAMPLE_S = 1.0
_LAST_RESULT_S = 1.5
_RESPONSES_S = 60.0
STARTED = "all nodes process images"
_LARGE, _SMALL = ImageSize(1280, 720), ImageSize(640, 480)
_OTHER_MODEL = "lite"
_MAX_CAMERAS = 16


class Soak:
    """Starts the nodes and their cameras, and lets them run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._duration_s = options.minutes * 60
        self._watcher = Node("soak")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._watcher)
        seed = None if options.steady else options.seed
        width_px, height_px = options.size
        camera = CameraSettings(
            options.video, width_px, height_px, options.rate, seed, options.boxes
        )
        parameters = {"model": options.model, "max_persons": options.max_persons}
        if options.boxes:
            parameters["person_detector"] = "topic"
        self._rigs = [Rig(number, parameters, camera, folder) for number in range(options.cameras)]
        for rig in self._rigs:
            rig.watch(self._watcher, is_annotated=options.cameras == 1)
        models = (options.model, _OTHER_MODEL)
        self._faults = (
            []
            if options.steady
            else [
                Faults(rig, models, options.seed, self._watcher, options.max_persons > 1)
                for rig in self._rigs
            ]
        )

    def run(self) -> list[Record]:
        """Return the records, to the end or to a signal; SoakError if the run is not possible."""
        with ExitStack() as stack:
            for rig in self._rigs:
                stack.callback(rig.stop)
            with run.until_shutdown():  # a signal: keep what is there
                self._play()
            end_ns = time.monotonic_ns()
            for rig in self._rigs:
                if not rig.record.start_ns:
                    raise SoakError("interrupted before all nodes processed images")
                rig.record.end_ns = rig.record.end_ns or end_ns
                if not ok():
                    rig.drop_pending()
        return [rig.finish() for rig in self._rigs]

    def _play(self) -> None:
        self._wait(lambda: all(self._count(rig) for rig in self._rigs), "the nodes' topics")
        for rig in self._rigs:
            rig.start_camera()
        self._wait(lambda: all(rig.record.results for rig in self._rigs), "the first landmarks")
        self._wait(lambda: all(faults.is_ready() for faults in self._faults), "the services")
        for rig in self._rigs:
            rig.record.start_ns = time.monotonic_ns()
        print(STARTED, flush=True)
        self._run_until_end()
        for rig in self._rigs:
            rig.record.end_ns = time.monotonic_ns()
        for faults in self._faults:
            faults.finish()
        for rig in self._rigs:
            rig.stop_camera()
        self._spin(_LAST_RESULT_S)
        self._await_responses()

    def _run_until_end(self) -> None:
        """Sample and inject faults until the time is over, or a node has ended."""
        start_s = sample_s = time.monotonic()
        with closing(Progress("seconds", round(self._duration_s))) as progress:
            while (now_s := time.monotonic()) < start_s + self._duration_s:
                self._executor.spin_once(timeout_sec=0.05)
                for faults in self._faults:
                    faults.step()
                if not all([rig.is_alive for rig in self._rigs]):
                    return
                if now_s >= sample_s:
                    sample_s += _SAMPLE_S
                    for rig in self._rigs:
                        rig.sample()
                    progress.advance()

    def _await_responses(self) -> None:
        """Spin until the nodes that run have answered all requests; a model may be loading."""
        end_s = time.monotonic() + _RESPONSES_S
        while any(rig.is_alive and rig.is_asked for rig in self._rigs):
            self._executor.spin_once(timeout_sec=0.05)
            if time.monotonic() > end_s:
                return

    def _count(self, rig: Rig) -> int:
        return int(self._watcher.count_publishers(f"{rig.name}/pose/landmarks"))

    def _spin(self, duration_s: float) -> None:
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.05)

    def _wait(self, is_done: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + _START_S
        while not is_done():
            self._executor.spin_once(timeout_sec=0.05)
            for rig in self._rigs:
                if not rig.is_alive:
                    raise SoakError(f"a node did not start:\n{rig.node.last_lines()}")
            if time.monotonic() > end_s:
                raise SoakError(f"timed out after {_START_S:g} s waiting for {what}")


def main(args: list[str] | None = None) -> int:
    """Run what the command line asks for, report and judge it; return the exit code."""
    options = _with_defaults(_parser().parse_args(args))
    try:
        open_frames(options.video)
        if options.plot:
            check_plot()
        folder = options.out / "soak"
        folder.mkdir(parents=True, exist_ok=True)
        isolate()
        if options.boxes:
            use_stand_in()
        context = circumstances(options)
        records = _run(options, folder)
    except (SoakError, PoseError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    return _report(records, context, options)


def _run(options: argparse.Namespace, folder: Path) -> list[Record]:
    """Return the records of a run; SoakError or OSError if it is not possible."""
    run.init([])
    soak: Soak | None = None
    try:
        with run.until_shutdown():
            soak = Soak(options, folder)
        if soak is None:
            raise SoakError("interrupted before the start")
        records = soak.run()
        if not ok():
            print("soak: interrupted", file=sys.stderr)
        return records
    finally:
        run.shutdown()


def use_stand_in() -> None:
    """Have the nodes import the stand-in for vision_msgs."""
    folders = (str(STAND_IN), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))


def _report(records: list[Record], context: Mapping[str, Any], options: argparse.Namespace) -> int:
    """Write and print the figures and the violated bounds; return the exit code."""
    nodes = [figures(record) for record in records]
    report: dict[str, Any] = {**context, "nodes": nodes}
    if len(nodes) > 1:
        report["fairness"] = fairness(nodes)
    report["violations"] = violations = judge(report, _bounds(options))
    path = options.out / "soak.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(as_text(report))
    print(path)
    if options.plot:
        path = options.out / "soak.png"
        plot(records, nodes, path)
        print(path)
    for message in violations:
        print(f"soak: {message}", file=sys.stderr)
    return 1 if violations else 0


def _bounds(options: argparse.Namespace) -> Bounds:
    """Return the bounds; several nodes may overload the machine, so any may skip frames."""
    return Bounds() if options.cameras == 1 else Bounds(unprocessed=1.0)


def _with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what depends on other options.

    Several cameras send small images, and steadily; several people need a clip that shows them.
    """
    options.steady = options.steady or options.cameras > 1
    options.video = options.video or str(
        media.path("person" if options.max_persons == 1 else "walker")
    )
    options.size = options.size or (_SMALL if options.cameras > 1 else _LARGE)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=positive_number, default=10.0, help="default: 10")
    parser.add_argument(
        "--steady", action="store_true", help="no faults: cameras and parameters do not change"
    )
    parser.add_argument(
        "--cameras", type=_cameras, default=1, metavar="N", help="N nodes and cameras, steady"
    )
    parser.add_argument(
        "--rate", type=_rate, default=30.0, metavar="HZ", help="default: 30; 0: without pauses"
    )
    parser.add_argument(
        "--size", type=image_size, metavar="WxH", help="default: 1280x720; of several, 640x480"
    )
    parser.add_argument("--model", choices=tuple(MODELS), default="full")
    parser.add_argument(
        "--max-persons", type=positive_count, default=1, metavar="N", help="default: 1"
    )
    parser.add_argument(
        "--boxes",
        action="store_true",
        help="people are found in boxes of another detector, which sends strange ones too",
    )
    parser.add_argument("--seed", type=int, default=1, help="for everything random; default: 1")
    parser.add_argument(
        "--video",
        metavar="FILE",
        help="default: a test clip, with --max-persons one of two people",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="default: out"
    )
    parser.add_argument(
        "--plot",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="draw soak.png (needs matplotlib)",
    )
    return parser


def _rate(text: str) -> float:
    return 0.0 if text == "0" else positive_number(text)


def _cameras(text: str) -> int:
    if (count := positive_count(text)) > _MAX_CAMERAS:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {_MAX_CAMERAS}")
    return count


if __name__ == "__main__":
    sys.exit(main())
