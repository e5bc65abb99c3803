"""Draw poses on images and videos, and write their landmarks; needs no ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pose_ros.blazepose import Pose, PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.option_fields import option_specs
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.arguments import PERSON_DETECTOR
from pose_ros.tools.command import interruptible, print_error, run_command
from pose_ros.tools.frames import ImageFiles, open_frames
from pose_ros.tools.image_files import ImageFile, VideoFile
from pose_ros.tools.landmark_table import FORMATS, LandmarkRow, LandmarkTable
from pose_ros.tools.opencv_files import silence
from pose_ros.tools.output_files import OutputError, check_outputs
from pose_ros.tools.progress import Progress
from pose_ros.tools.video import Video, shortfall

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_NAME = "annotate"
_OPTIONS = (
    "model",
    "person_detector",
    "inference",
    "min_detection_confidence",
    "min_tracking_confidence",
    "smooth_landmarks",
    "mirrored_input",
    "max_persons",
    "hold_time_s",
    "select",
    "detect_regions",
)


@dataclass(frozen=True)
class Job:
    """An input with its frames, and the files that are made of it."""

    source: Path
    frames: ImageFiles | Video
    annotated: Path
    table: Path


def make_job(source: Path, folder: Path, table_format: str) -> Job:
    """Return what is to be done with an image or video. Raises PoseError if it is neither."""
    frames = open_frames(str(source))
    if source.is_dir() or not isinstance(frames, (ImageFiles, Video)):
        raise ImageError(f"{source} is not a file")
    suffix = "png" if isinstance(frames, ImageFiles) else "mp4"
    annotated = folder / f"{source.stem}_annotated.{suffix}"
    return Job(source, frames, annotated, folder / f"{source.stem}_landmarks.{table_format}")


class Annotator:
    """Draws poses: images one by one (static image mode), videos with their own time stamps."""

    def __init__(self, options: PoseTrackerOptions, min_visibility: float) -> None:
        self._options, self._min_visibility = options, min_visibility
        self._tracker = PoseTracker(options, share_path("models"))
        self._topology = MODELS[options.model].topology

    def annotate(self, job: Job) -> str:
        """Write both files; return what was found. Raises PoseError or OSError."""
        is_static = isinstance(job.frames, ImageFiles)
        self._tracker.configure(replace(self._options, static_image_mode=is_static))
        self._tracker.reset()
        progress, found = Progress(job.source.name, job.frames.count or 0), 0
        with LandmarkTable(job.table) as table, _output(job) as output, closing(progress):
            for image, time_ns in job.frames:
                poses = self._tracker.track(image, time_ns + 1)  # 0 means unknown
                for row in self._rows(progress.done, time_ns, poses):
                    table.write(row)
                labels = [str(pose.person_id) for pose in poses]
                drawn = draw_poses(image, poses, self._topology, self._min_visibility, labels)
                output.write(drawn, time_ns)
                found += bool(poses)
                progress.advance()
        if missing := shortfall(job.frames, progress.done):
            print_error(_NAME, missing)
        result = f"{found} of {progress.done} frames show a pose"
        return f"{job.source}: {result} -> {job.annotated}, {job.table}"

    def _rows(self, frame: int, time_ns: int, poses: tuple[Pose, ...]) -> Iterator[LandmarkRow]:
        for pose in poses:
            columns = pose.landmarks_px, pose.visibility, pose.presence
            values = zip(*(column.tolist() for column in columns), strict=True)
            for index, ((u_px, v_px, depth_rel), visibility, presence) in enumerate(values):
                yield LandmarkRow(
                    stamp_ns=time_ns,
                    frame=frame,
                    person_id=pose.person_id,
                    index=index,
                    name=self._topology.names[index],
                    u_px=u_px,
                    v_px=v_px,
                    depth_rel=depth_rel,
                    visibility=visibility,
                    presence=presence,
                )


def _output(job: Job) -> ImageFile | VideoFile:
    if isinstance(job.frames, ImageFiles):
        return ImageFile(job.annotated)
    return VideoFile(job.annotated, job.frames.fastest_rate_hz())


def main(args: list[str] | None = None) -> int:
    """Annotate the files that the command line names; return the exit code."""
    arguments = _parser().parse_args(args)
    return run_command(_NAME, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    options = PoseTrackerOptions(**{name: getattr(arguments, name) for name in _OPTIONS})
    files, folder = arguments.files, arguments.out
    make = partial(make_job, folder=folder, table_format=arguments.format)
    silence()
    with interruptible():
        jobs = list(_attempt(make, files))
        check_outputs((path for job in jobs for path in (job.annotated, job.table)), files)
        annotator = Annotator(options, arguments.min_visibility)
        folder.mkdir(parents=True, exist_ok=True)
        failures = len(files)
        for result in _attempt(annotator.annotate, jobs):
            print(result, flush=True)
            failures -= 1
    return 1 if failures else 0


def _attempt(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
    """Yield the result for each item; print why there is none, unless nothing can be written."""
    for item in items:
        try:
            result = function(item)
        except OutputError:
            raise
        except PoseError as error:
            print_error(_NAME, error)
        else:
            yield result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_NAME, description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="image or video")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="default: out"
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="of the landmarks")
    parser.add_argument(
        "--min-visibility", type=float, default=0.5, help="draw landmarks above this; default: 0.5"
    )
    defaults, specs = PoseTrackerOptions(), option_specs(PoseTrackerOptions)
    for name in _OPTIONS:
        default, description = getattr(defaults, name), specs[name].description
        settings: dict[str, Any] = {
            "default": default,
            "help": f"{description} default: {default}",
        }
        if isinstance(default, bool):
            settings["action"] = argparse.BooleanOptionalAction
        else:
            settings.update(type=type(default), choices=specs[name].choices)
        if name == "person_detector":
            settings.update(PERSON_DETECTOR)
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    return parser


if __name__ == "__main__":
    sys.exit(main())
