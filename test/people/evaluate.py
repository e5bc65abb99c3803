"""Evaluate the tracker on scenes of several people whose identities are known, and on real clips.

`python test/people/evaluate.py` prints a table of the scenes of one half and their sum, then one
of the clips. README.md beside this file explains the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media

from people.clips import CLIPS
from people.runs import Result, Watch, run_clip, run_scene, total
from people.scenes import HALVES, RATE_HZ, SCENES
from people.subject import Subject, options_of
from pose_ros.blazepose import Pose, PoseError
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.models import MODELS

Columns = dict[str, Callable[[Result], str]]

_COSTS: Columns = {
    "detector/frame": lambda result: f"{result.costs.detector_runs_per_image:.2f}",
    "CPU ms/frame": lambda result: f"{result.costs.cpu_ms_per_image:.1f}",
}
_SCENE: Columns = {
    "frames": lambda result: f"{result.figures.frames}",
    "people": lambda result: f"{result.figures.people}",
    "recall": lambda result: f"{result.figures.recall:.3f}",
    "IDF1": lambda result: f"{result.figures.idf1:.3f}",
    "ghosts/frame": lambda result: f"{result.figures.ghosts_per_frame:.3f}",
    "switches/person": lambda result: f"{result.figures.switches_per_person:.2f}",
    "ids": lambda result: f"{result.figures.ids}",
    "merged s": lambda result: f"{result.figures.merged_frames / RATE_HZ:.2f}",
    **_COSTS,
}
_CLIP: Columns = {
    "frames": lambda result: f"{result.figures.frames}",
    "rows/frame": lambda result: f"{result.figures.rows_per_frame:.2f}",
    "count changes": lambda result: f"{result.figures.changes}",
    "ids": lambda result: f"{result.figures.ids}",
    "main people": lambda result: f"{result.figures.people or '-'}",
    "recall": lambda result: _if_known(result, f"{result.figures.recall:.3f}"),
    "switches": lambda result: _if_known(result, f"{result.figures.switches}"),
    **_COSTS,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the scenes and clips that are asked for; 0, or 2 with the reason if that can't be."""
    asked = _parser().parse_args(arguments)
    try:
        others = {"landmark_interval_s": asked.interval} if asked.interval else {}
        options = options_of(asked.model, asked.max_persons, asked.detector, **others)
        subject = Subject(options)
        results = _run_all(asked, subject)
    except (PoseError, media.MediaUnavailable) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    if asked.json is not None:
        content = {result.name: result.as_json() for result in results}
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=HALVES, default="tune", help="(default: tune)")
    parser.add_argument("--model", choices=tuple(MODELS), default="full", help="(default: full)")
    parser.add_argument("--max-persons", type=int, default=8, metavar="N", help="(default: 8)")
    parser.add_argument(
        "--detector",
        default="blazepose",
        help="topic: boxes of the true people in every third image (default: blazepose)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=0.0,
        metavar="S",
        help="landmark_interval_s (default: 0)",
    )
    parser.add_argument(
        "--scenes",
        nargs="+",
        choices=(*SCENES, *CLIPS),
        metavar="NAME",
        help=f"instead of a half and the clips; of {', '.join((*SCENES, *CLIPS))}",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for videos with the ids drawn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all figures")
    return parser


def _run_all(asked: argparse.Namespace, subject: Subject) -> list[Result]:
    """Run and print the scenes, their sum, and the clips."""
    half = [name for name, scene in SCENES.items() if scene.half == asked.half]
    names = asked.scenes or [*half, *(CLIPS if asked.half in ("tune", "judge") else ())]
    scenes = [name for name in names if name in SCENES]
    clips = [name for name in names if name in CLIPS]
    results: list[Result] = []
    _print_head("scene", _SCENE, scenes)
    for name in scenes:
        with _watch(asked.out, name, subject) as watch:
            results.append(run_scene(name, subject, watch))
        _print_row(results[-1], _SCENE)
    if len(scenes) > 1:
        results.append(total(results))
        _print_row(results[-1], _SCENE)
    _print_head("clip", _CLIP, clips)
    for name in clips:
        with _watch(asked.out, name, subject) as watch:
            results.append(run_clip(name, subject, watch))
        _print_row(results[-1], _CLIP)
    return results


def _if_known(result: Result, text: str) -> str:
    return text if result.figures.people else "-"


def _print_head(title: str, columns: Columns, names: Sequence[str]) -> None:
    if names:
        print(f"\n{title:<16}", *columns, sep="  ", flush=True)


def _print_row(result: Result, columns: Columns) -> None:
    cells = [f"{cell(result):>{len(title)}}" for title, cell in columns.items()]
    print(f"{result.name:<16}", *cells, sep="  ", flush=True)


@contextmanager
def _watch(folder: Path | None, name: str, subject: Subject) -> Iterator[Watch]:
    """Give what writes each image, with people and ids drawn, to a video in the folder."""
    if folder is None:
        yield lambda image, poses: None
        return
    folder.mkdir(parents=True, exist_ok=True)
    rate_hz = CLIPS[name].rate_hz if name in CLIPS else RATE_HZ
    writer = cv2.VideoWriter()

    def write(image: media.Image, poses: Sequence[Pose]) -> None:
        if not writer.isOpened():
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            writer.open(str(folder / f"{name}.mp4"), codec, rate_hz, image.shape[1::-1])
        writer.write(_drawn(image, poses, subject)[..., ::-1])

    yield write
    writer.release()


def _drawn(image: media.Image, poses: Sequence[Pose], subject: Subject) -> media.Image:
    """Return a copy of the image with skeletons, and ids above the heads."""
    drawn = draw_poses(image, poses, MODELS[subject.options.model].topology)
    for pose in poses:
        x, y = pose.landmarks_px[:, :2].min(axis=0)
        corner_px = round(float(x)), round(float(y)) - 20
        text = str(pose.person_id)
        cv2.putText(drawn, text, corner_px, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 0), 3)
    return drawn


if __name__ == "__main__":
    sys.exit(main())
