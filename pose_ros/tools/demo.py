"""Run the pose node on a video over ROS 2, and record what it answers.

Three processes as on a robot: a camera (video_source), the pose node, and the recorder here.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.utilities import ok

from pose_ros import spinning
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.share import share_path
from pose_ros.tools.children import Child, isolate
from pose_ros.tools.frames import PICTURE_RATE_HZ, FrameSource, open_frames
from pose_ros.tools.image_files import VideoFile
from pose_ros.tools.progress import Progress
from pose_ros.tools.recorder import Answer, Recorder

MIN_ANSWERED = 0.95
_START_S = 60.0
_DISCOVERY_S = 1.0
_LAST_ANSWER_S = 3.0


class DemoError(Exception):
    """The demonstration did not do what it should show."""


@dataclass(frozen=True)
class Summary:
    """What came back for the frames that the source sent, whose stamps are `sent_ns`."""

    sent_ns: tuple[int, ...]
    answers: Mapping[int, Answer]

    @property
    def answered(self) -> float:
        """The share of sent frames that have an answer with exactly their stamp."""
        return len(self.answers.keys() & set(self.sent_ns)) / max(1, len(self.sent_ns))

    def __str__(self) -> str:
        answers = self.answers.values()
        out_hz = _rate_hz([answer.arrival_ns for answer in answers])
        latencies_ms = [answer.latency_ns / 1e6 for answer in answers] or [math.nan]
        median_ms, p95_ms = np.percentile(latencies_ms, (50, 95))
        with_pose = sum(answer.has_pose for answer in answers) / max(1, len(answers))
        return f"""\
frames in          {len(self.sent_ns)} at {_rate_hz(self.sent_ns):.1f} Hz
frames out         {len(answers)} at {out_hz:.1f} Hz
answered           {self.answered:.1%} of the frames in, each with its own stamp
latency            {median_ms:.1f} ms median, {p95_ms:.1f} ms p95 (image stamp to landmarks here)
frames with a pose {with_pose:.1%} of the frames out"""


class Demo:
    """Starts the processes, plays the video once and keeps what comes back."""

    def __init__(self, options: argparse.Namespace, frames: FrameSource) -> None:
        self._options, self._out = options, options.out
        self._stamps = self._out / "stamps.txt"
        self._stamps.unlink(missing_ok=True)
        self._video = VideoFile(self._out / "annotated.mp4", frames.rate_hz or PICTURE_RATE_HZ)
        self._recorder = Recorder(self._video)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._recorder)
        self._children: list[Child] = []
        self._progress = Progress("frames", min(frames.count or 0, options.frames or sys.maxsize))

    def run(self) -> Summary:
        """Play everything, to the end or to a signal, and write the files.

        Raises DemoError if a process fails.
        """
        with closing(self._video), closing(self._progress):
            try:
                self._play()
            except ExternalShutdownException:
                pass  # a signal: keep what is there
            finally:
                for child in reversed(self._children):
                    child.stop()
        sent_ns = self._sent_ns()
        frame_of = {stamp_ns: frame for frame, stamp_ns in enumerate(sent_ns)}
        self._recorder.write_table(self._out / "landmarks.csv", frame_of)
        self._recorder.write_picture(self._out / "pose.png")
        return Summary(sent_ns, self._recorder.answers)

    def _play(self) -> None:
        """Start one after the other, each when the others know each other."""
        self._start("pose_ros.node", "--ros-args", "-p", f"model:={self._options.model}")
        if not self._spin_until(self._recorder.is_connected, _START_S):
            raise DemoError(f"the node did not start within {_START_S:g} s")
        self._spin_until(lambda: False, _DISCOVERY_S)
        limit = [f"--frames={self._options.frames}"] if self._options.frames else []
        source = self._start(
            "pose_ros.tools.video_source",
            self._options.video,
            f"--wait-for-subscriber={_START_S}",
            f"--stamps={self._stamps}",
            *limit,
            "--ros-args",
        )
        if not self._spin_until(lambda: source.exit_code is not None, _START_S):
            raise DemoError(f"nothing was answered for {_START_S:g} s:\n{source.last_words()}")
        self._spin_until(self._is_complete, _LAST_ANSWER_S)

    def _start(self, module: str, *arguments: str) -> Child:
        name = module.rpartition(".")[2]
        namespace = ("-r", f"__ns:={self._recorder.get_namespace()}")
        child = Child(module, [*arguments, *namespace], self._out / f"{name}.log")
        self._children.append(child)
        return child

    def _spin_until(self, is_done: Callable[[], bool], patience_s: float) -> bool:
        """Spin until `is_done`, or until nothing has come for `patience_s`; return `is_done`."""
        last_s = time.monotonic()
        while not is_done() and time.monotonic() - last_s < patience_s:
            self._executor.spin_once(timeout_sec=0.05)
            self._check_children()
            while self._progress.done < len(self._recorder.answers):
                self._progress.advance()
                last_s = time.monotonic()
        return is_done()

    def _check_children(self) -> None:
        """Raise DemoError if the source failed, or if the node ended at all."""
        node, *others = self._children
        for child in (node, *others):
            if child.exit_code is not None and (child is node or child.exit_code != 0):
                raise DemoError(
                    f"{child.name} ended with exit code {child.exit_code}:\n{child.last_words()}"
                )

    def _is_complete(self) -> bool:
        """Whether landmarks and image of each sent frame are here."""
        return min(self._video.frames, len(self._recorder.answers)) >= len(self._sent_ns())

    def _sent_ns(self) -> tuple[int, ...]:
        """Return the stamps of the frames that the source has sent."""
        if not self._stamps.exists():
            return ()
        return tuple(int(line) for line in self._stamps.read_text().split())


def main(args: list[str] | None = None) -> int:
    """Run the demonstration that the command line asks for; return the exit code."""
    options = _parser().parse_args(args)
    try:
        frames = open_frames(options.video)
        options.out.mkdir(parents=True, exist_ok=True)
        isolate()
        spinning.init(["--ros-args", "-r", f"__ns:=/demo_{os.getpid()}"])
        summary = Demo(options, frames).run()
        was_interrupted = not ok()
    except (DemoError, PoseError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        spinning.shutdown()
    return report(summary, options.out, was_interrupted)


def report(summary: Summary, out: Path, was_interrupted: bool) -> int:
    """Print what was measured and where the files are; return the exit code."""
    if summary.sent_ns:
        print(summary)
    for name in ("annotated.mp4", "landmarks.csv", "pose.png"):
        if (out / name).exists():
            print(out / name)
    if was_interrupted:
        print("demo: interrupted", file=sys.stderr)
        return 0
    if summary.answered < MIN_ANSWERED:
        print(
            f"demo: only {summary.answered:.1%} of the frames were answered, "
            f"expected are {MIN_ANSWERED:.0%}; is the machine busy?",
            file=sys.stderr,
        )
        return 1
    return 0


def _rate_hz(times_ns: Sequence[int]) -> float:
    """Return the mean rate of events at these times; NaN for fewer than two."""
    duration_ns = max(times_ns, default=0) - min(times_ns, default=0)
    return (len(times_ns) - 1) * 1e9 / duration_ns if duration_ns else math.nan


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument(
        "--video",
        metavar="FILE",
        default=str(share_path("demo") / "person.mp4"),
        help="default: the clip that comes with the package",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="default: out"
    )
    parser.add_argument("--model", choices=tuple(MODELS), default=next(iter(MODELS)))
    parser.add_argument("--frames", type=int, metavar="N", help="play the first N frames only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
