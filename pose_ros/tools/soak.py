"""Run the pose node for a long time over real DDS, with cameras that fail and parameters that
change all the time, or as fast as it can; judge memory, latency, answers and refusals.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import ok

from pose_ros import spinning
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.share import share_path
from pose_ros.tools.benchmark import circumstances, image_size
from pose_ros.tools.children import isolate
from pose_ros.tools.frames import open_frames
from pose_ros.tools.progress import Progress
from pose_ros.tools.soak_camera import CameraSettings
from pose_ros.tools.soak_figures import fairness, figures
from pose_ros.tools.soak_judge import Bounds, judge
from pose_ros.tools.soak_mishaps import Mishaps
from pose_ros.tools.soak_plot import check_plot, plot
from pose_ros.tools.soak_record import Record
from pose_ros.tools.soak_rig import Rig, SoakError
from pose_ros.tools.soak_text import as_text

_START_S = 60.0
_SAMPLE_S = 1.0
_LAST_ANSWER_S = 1.5
_LARGE, _SMALL = ImageSize(1280, 720), ImageSize(640, 480)
_OTHER_MODEL = "lite"


class Soak:
    """Starts the nodes and their cameras, and lets them run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._duration_s = options.minutes * 60
        self._watcher = Node("soak")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._watcher)
        seed = None if options.steady else options.seed
        width_px, height_px = options.size
        camera = CameraSettings(options.video, width_px, height_px, options.rate, seed)
        self._rigs = [
            Rig(number, options.model, camera, folder) for number in range(options.cameras)
        ]
        for rig in self._rigs:
            rig.watch(self._watcher, is_annotated=options.cameras == 1)
        models = (options.model, _OTHER_MODEL)
        self._mishaps = (
            []
            if options.steady
            else [Mishaps(rig, models, options.seed, self._watcher) for rig in self._rigs]
        )

    def run(self) -> list[Record]:
        """Return what was noted, to the end or to a signal; SoakError if it cannot be made."""
        with ExitStack() as stack:
            for rig in self._rigs:
                stack.callback(rig.stop)
            with suppress(ExternalShutdownException):  # a signal: keep what is there
                self._play()
            end_ns = time.monotonic_ns()
            for rig in self._rigs:
                if not rig.record.start_ns:
                    raise SoakError("interrupted before all was running")
                rig.record.end_ns = rig.record.end_ns or end_ns
                if not ok():
                    rig.forgive_pending()
        return [rig.finish() for rig in self._rigs]

    def _play(self) -> None:
        self._wait(lambda: all(self._count(rig) for rig in self._rigs), "the nodes' topics")
        for rig in self._rigs:
            rig.start_camera()
        self._wait(lambda: all(rig.record.answers for rig in self._rigs), "the first landmarks")
        self._wait(lambda: all(mishaps.is_ready() for mishaps in self._mishaps), "the services")
        for rig in self._rigs:
            rig.record.start_ns = time.monotonic_ns()
        self._let_run()
        for rig in self._rigs:
            rig.record.end_ns = time.monotonic_ns()
        for mishaps in self._mishaps:
            mishaps.finish()
        for rig in self._rigs:
            rig.stop_camera()
        self._spin(_LAST_ANSWER_S)

    def _let_run(self) -> None:
        """Sample and make trouble until the time is over, or a node has ended."""
        start_s = sample_s = time.monotonic()
        with closing(Progress("seconds", round(self._duration_s))) as progress:
            while (now_s := time.monotonic()) < start_s + self._duration_s:
                self._executor.spin_once(timeout_sec=0.05)
                for mishaps in self._mishaps:
                    mishaps.step()
                if not all([rig.is_alive for rig in self._rigs]):
                    return
                if now_s >= sample_s:
                    sample_s += _SAMPLE_S
                    for rig in self._rigs:
                        rig.sample()
                    progress.advance()

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
                    raise SoakError(f"a node did not start:\n{rig.node.last_words()}")
            if time.monotonic() > end_s:
                raise SoakError(f"waited {_START_S:g} s in vain for {what}")


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
        spinning.init([])
        surroundings = circumstances(options)
        records = Soak(options, folder).run()
        was_interrupted = not ok()
    except (SoakError, PoseError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    finally:
        spinning.shutdown()
    if was_interrupted:
        print("soak: interrupted", file=sys.stderr)
    return _report(records, surroundings, options)


def _report(
    records: list[Record], surroundings: Mapping[str, Any], options: argparse.Namespace
) -> int:
    """Write and print the figures and what they break; return the exit code."""
    nodes = [figures(record) for record in records]
    report: dict[str, Any] = {**surroundings, "nodes": nodes}
    if len(nodes) > 1:
        report["fairness"] = fairness(nodes)
    report["broken"] = broken = judge(report, _bounds(options))
    path = options.out / "soak.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(as_text(report))
    print(path)
    if options.plot:
        path = options.out / "soak.png"
        plot(records, nodes, path)
        print(path)
    for sentence in broken:
        print(f"soak: {sentence}", file=sys.stderr)
    return 1 if broken else 0


def _bounds(options: argparse.Namespace) -> Bounds:
    """Return what is demanded; of several nodes not every frame, since they may overload it."""
    return Bounds() if options.cameras == 1 else Bounds(unanswered=1.0)


def _with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what depends on other options: several cameras send small images, and steadily."""
    options.steady = options.steady or options.cameras > 1
    options.size = options.size or (_SMALL if options.cameras > 1 else _LARGE)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=_positive, default=10.0, help="default: 10")
    parser.add_argument(
        "--steady", action="store_true", help="no mishaps: cameras and parameters stay as they are"
    )
    parser.add_argument(
        "--cameras", type=_count, default=1, metavar="N", help="N nodes and cameras, steady"
    )
    parser.add_argument(
        "--rate", type=_rate, default=30.0, metavar="HZ", help="default: 30; 0: without a pause"
    )
    parser.add_argument(
        "--size", type=image_size, metavar="WxH", help="default: 1280x720; of several, 640x480"
    )
    parser.add_argument("--model", choices=tuple(MODELS), default="full")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random; default: 1")
    parser.add_argument(
        "--video",
        default=str(share_path("demo") / "person.mp4"),
        metavar="FILE",
        help="default: the clip that comes with the package",
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


def _positive(text: str) -> float:
    if not (value := _number(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _rate(text: str) -> float:
    if not (value := _number(text)) >= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a rate: a number from 0 to 10000")
    return value


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 16):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 16")
    return int(text)


def _number(text: str) -> float:
    """Return a number up to 10000, else -1."""
    try:
        value = float(text)
    except ValueError:
        return -1.0
    return value if value <= 10_000 else -1.0


if __name__ == "__main__":
    sys.exit(main())
