"""Run the pose node on a video over ROS 2, and record its results.

Three processes as on a robot: a camera (video_source), the pose node, and the recorder here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rclpy.executors import SingleThreadedExecutor
from rclpy.utilities import ok

from pose_ros.blazepose import PoseError, PoseTrackerOptions
from pose_ros.blazepose.models import MODELS
from pose_ros.runtime import run
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.arguments import PERSON_DETECTOR, people_count, positive_count, positive_number
from pose_ros.tools.children import Child, isolate
from pose_ros.tools.command import print_error, run_command
from pose_ros.tools.demo_summary import NAME, RESULTS, Summary, report
from pose_ros.tools.frame import IMAGE_RATE_HZ, FrameSource
from pose_ros.tools.frames import open_frames, source_files
from pose_ros.tools.image_files import VideoFile
from pose_ros.tools.opencv_files import silence
from pose_ros.tools.output_files import check_outputs
from pose_ros.tools.progress import Progress
from pose_ros.tools.recorder import Recorder
from pose_ros.tools.video import shortfall

_STAMPS = "stamps.txt"
_LOGS = (_STAMPS, "node.log", "video_source.log")
_MAX_WIDTH_PX = 960
_START_S = 60.0
_DISCOVERY_S = 1.0
_LAST_RESULT_S = 3.0


class DemoError(PoseError):
    """A process of the demonstration failed, or nothing was processed."""


class Demo:
    """Starts the processes, plays the video once and keeps what comes back."""

    def __init__(self, options: argparse.Namespace, frames: FrameSource) -> None:
        self._options, self._out = options, options.out
        self._stamps = self._out / _STAMPS
        self._video = VideoFile(self._out / "annotated.mp4", frames.rate_hz or IMAGE_RATE_HZ)
        self._recorder = Recorder(self._video)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._recorder)
        self._children: list[Child] = []
        self._progress = Progress("frames", min(frames.count or 0, options.frames or sys.maxsize))

    def run(self) -> Summary:
        """Play everything, to the end or to a signal, and write the files.

        Raises DemoError if a process fails, OutputError or OSError for a file.
        """
        with self._video, closing(self._progress):
            try:
                with run.until_shutdown():
                    self._play()
            finally:
                for child in reversed(self._children):
                    child.stop()
        sent_ns = self._sent_ns()
        frame_of = {stamp_ns: frame for frame, stamp_ns in enumerate(sent_ns)}
        self._recorder.write_table(self._out / "landmarks.csv", frame_of)
        self._recorder.write_best(self._out / "pose.png")
        return Summary(sent_ns, self._recorder.results)

    def _play(self) -> None:
        """Start one after the other, each when the others know each other."""
        model = ("-p", f"model:={self._options.model}")
        persons = ("-p", f"max_persons:={self._options.max_persons}")
        detector = ("-p", f"person_detector:={self._options.person_detector}")
        self._start("pose_ros.node", "--ros-args", *model, *persons, *detector)
        if not self._spin_until(self._recorder.is_connected, _START_S):
            raise DemoError(f"the node did not start within {_START_S:g} s")
        self._spin_until(lambda: False, _DISCOVERY_S)
        limit = [f"--frames={self._options.frames}"] if self._options.frames else []
        rate = [f"--rate={self._options.rate}"] if self._options.rate else []
        source = self._start(
            "pose_ros.tools.video_source",
            self._options.video,
            f"--wait-for-subscriber={_START_S}",
            f"--stamps={self._stamps}",
            f"--max-width={_MAX_WIDTH_PX}",
            *limit,
            *rate,
            "--ros-args",
        )
        if not self._spin_until(lambda: source.exit_code is not None, _START_S):
            raise DemoError(f"nothing was processed for {_START_S:g} s:\n{source.last_lines()}")
        self._spin_until(self._is_complete, _LAST_RESULT_S)

    def _start(self, module: str, *arguments: str) -> Child:
        name = module.rpartition(".")[2]
        namespace = ("-r", f"__ns:={self._recorder.get_namespace()}")
        child = Child(module, [*arguments, *namespace], self._out / f"{name}.log")
        self._children.append(child)
        return child

    def _spin_until(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        """Spin until `is_done`, or without a result for `timeout_s`; return `is_done`."""
        last_s = time.monotonic()
        while not is_done() and time.monotonic() - last_s < timeout_s:
            self._executor.spin_once(timeout_sec=0.05)
            self._check_children()
            while self._progress.done < len(self._recorder.results):
                self._progress.advance()
                last_s = time.monotonic()
        return is_done()

    def _check_children(self) -> None:
        """Raise DemoError if the source failed, or if the node ended at all."""
        node, *others = self._children
        for child in (node, *others):
            if child.exit_code is not None and (child is node or child.exit_code != 0):
                raise DemoError(
                    f"{child.name} ended with exit code {child.exit_code}:\n{child.last_lines()}"
                )

    def _is_complete(self) -> bool:
        """Whether landmarks and image of each sent frame are here."""
        return min(self._video.images, len(self._recorder.results)) >= len(self._sent_ns())

    def _sent_ns(self) -> tuple[int, ...]:
        """Return the stamps of the frames that the source has sent."""
        if not self._stamps.exists():
            return ()
        return tuple(int(line) for line in self._stamps.read_text().split())


def main(args: list[str] | None = None) -> int:
    """Run the demonstration that the command line asks for; return the exit code."""
    options = _parser().parse_args(args)
    return run_command(NAME, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    silence()
    frames, out = open_frames(options.video), options.out
    files = [out / name for name in (*RESULTS, *_LOGS)]
    check_outputs(files, source_files(options.video, frames))
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        file.unlink(missing_ok=True)
    isolate()
    try:
        run.init(["--ros-args", "-r", f"__ns:=/demo_{os.getpid()}"])
        demo: Demo | None = None
        with run.until_shutdown():
            demo = Demo(options, frames)
        summary = demo.run() if demo else Summary((), {})
        was_interrupted = not ok()
    finally:
        run.shutdown()
    is_whole = was_interrupted or bool(options.frames)
    if missing := "" if is_whole else shortfall(frames, len(summary.sent_ns)):
        print_error(NAME, missing)
    return report(summary, out, was_interrupted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__)
    parser.add_argument(
        "--video",
        metavar="FILE",
        default=str(share_path("demo") / "walker.mp4"),
        help="default: the clip that comes with the package",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="default: out"
    )
    model = PoseTrackerOptions().model
    parser.add_argument("--model", choices=tuple(MODELS), default=model, help=f"default: {model}")
    parser.add_argument(
        "--max-persons", type=people_count, default=1, metavar="N", help="default: 1"
    )
    parser.add_argument("--person-detector", **PERSON_DETECTOR)
    parser.add_argument(
        "--frames", type=positive_count, metavar="N", help="play the first N frames only"
    )
    parser.add_argument(
        "--rate", type=positive_number, metavar="HZ", help="default: the video's own"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
