"""Draw poses on pictures and videos, and write their landmarks; needs no ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pose_ros.blazepose import Pose, PoseError, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import option_specs
from pose_ros.share import share_path
from pose_ros.tools.frames import Pictures, Video, open_frames
from pose_ros.tools.image_files import PictureFile, VideoFile
from pose_ros.tools.landmark_table import FORMATS, LandmarkRow, LandmarkTable
from pose_ros.tools.progress import Progress

_OPTIONS = (
    "model",
    "min_detection_confidence",
    "min_tracking_confidence",
    "smooth_landmarks",
    "mirrored_input",
)


@dataclass
class Annotator:
    """Writes `NAME_annotated.png` or `.mp4`, and `NAME_landmarks.csv` or `.json`, into a folder.

    Pictures are taken one by one (static image mode), videos with their own time stamps.
    """

    options: PoseTrackerOptions
    folder: Path
    table_format: str
    min_visibility: float

    def __post_init__(self) -> None:
        self._tracker = PoseTracker(self.options, share_path("models"))
        self._topology = MODELS[self.options.model].topology
        self._taken: set[str] = set()

    def annotate(self, path: Path) -> str:
        """Annotate one file and tell what was found. Raises PoseError if that is impossible."""
        frames = open_frames(str(path))
        if path.is_dir() or not isinstance(frames, (Pictures, Video)):
            raise ImageError(f"{path} is not a file")
        if path.stem in self._taken:
            raise ImageError(
                f"{path} is named like an earlier file, whose results it would replace"
            )
        self._taken.add(path.stem)
        is_static = isinstance(frames, Pictures)
        self._tracker.configure(replace(self.options, static_image_mode=is_static))
        self._tracker.reset()
        return f"{path}: {self._annotate_frames(path, frames)}"

    def _annotate_frames(self, path: Path, frames: Pictures | Video) -> str:
        """Write both files; return what they are and what was found."""
        table_path = self.folder / f"{path.stem}_landmarks.{self.table_format}"
        output = self._output(path, frames)
        progress, found = Progress(path.name, frames.count), 0
        with closing(output), closing(LandmarkTable(table_path)) as table, closing(progress):
            for frame in frames:
                poses = self._tracker.track(frame.image, frame.time_ns + 1)  # 0 means unknown
                for row in self._rows(progress.done, frame.time_ns, poses):
                    table.write(row)
                output.write(draw_poses(frame.image, poses, self._topology, self.min_visibility))
                found += bool(poses)
                progress.advance()
        return f"{found} of {progress.done} frames show a pose -> {output.path}, {table_path}"

    def _output(self, path: Path, frames: Pictures | Video) -> PictureFile | VideoFile:
        if isinstance(frames, Pictures):
            return PictureFile(self.folder / f"{path.stem}_annotated.png")
        return VideoFile(self.folder / f"{path.stem}_annotated.mp4", frames.rate_hz)

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


def main(args: list[str] | None = None) -> int:
    """Annotate the files that the command line names; return the exit code."""
    arguments = _parser().parse_args(args)
    try:
        annotator = _annotator(arguments)
        failures = [_annotate(annotator, path) for path in arguments.files]
    except (PoseError, OSError) as error:
        print(f"annotate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if any(failures) else 0


def _annotator(arguments: argparse.Namespace) -> Annotator:
    options = PoseTrackerOptions(**{name: getattr(arguments, name) for name in _OPTIONS})
    arguments.out.mkdir(parents=True, exist_ok=True)
    return Annotator(options, arguments.out, arguments.format, arguments.min_visibility)


def _annotate(annotator: Annotator, path: Path) -> bool:
    """Annotate one file and report; return whether it failed."""
    try:
        print(annotator.annotate(path))
    except PoseError as error:
        print(f"annotate: {error}", file=sys.stderr)
        return True
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="annotate", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="picture or video")
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
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    return parser


if __name__ == "__main__":
    sys.exit(main())
