"""The tracker on one scene, one clip or one video file, and what comes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import media

from people.clips import CLIPS
from people.judging import Figures, Frame, Row, Similarity, TruePerson, judge, oks
from people.rendering import render
from people.scenes import RATE_HZ, SCENES
from people.subject import Costs, Subject
from pose_ros.blazepose import Pose

Watch = Callable[[media.Image, tuple[Pose, ...]], None]


@dataclass(frozen=True)
class Result:
    """What one scene or clip, or the sum of some, came to."""

    name: str
    figures: Figures
    costs: Costs

    def as_json(self) -> dict[str, float]:
        """Return sums and ratios."""
        figures, costs = self.figures, self.costs
        return {
            **dataclasses.asdict(figures),
            "recall": figures.recall,
            "idf1": figures.idf1,
            "ghosts_per_frame": figures.ghosts_per_frame,
            "switches_per_person": figures.switches_per_person,
            "rows_per_frame": figures.rows_per_frame,
            "detector_runs_per_frame": costs.detector_runs_per_image,
            "cpu_ms_per_frame": costs.cpu_ms_per_image,
        }


def total(results: Sequence[Result]) -> Result:
    """Return the sum of some results."""
    figures = sum((result.figures for result in results), Figures())
    return Result("sum", figures, sum((result.costs for result in results), Costs()))


def run_scene(name: str, subject: Subject, watch: Watch) -> Result:
    """Track the people of a scene of `SCENES`; raises MediaUnavailable."""
    return _run(name, subject, render(SCENES[name]), RATE_HZ, oks, watch)


def run_clip(name: str, subject: Subject, watch: Watch) -> Result:
    """Track the people of a clip of `CLIPS`; raises MediaUnavailable."""
    clip = CLIPS[name]
    truth = clip.truth() if clip.truth is not None else ()
    images = zip(media.frames(name), chain(truth, repeat(())), strict=False)
    return _run(name, subject, images, clip.rate_hz, clip.similarity, watch)


def boxes_of(people: Sequence[TruePerson]) -> list[list[float]]:
    """Return the boxes (B, 4) that a perfect detector would find, the largest first."""
    boxes = [
        [*points_px.min(axis=0).tolist(), *points_px.max(axis=0).tolist()]
        for points_px in (one.landmarks_px[one.is_labeled] for one in people if one.counts)
    ]
    return sorted(boxes, key=lambda box: box[1] - box[3])


def _run(
    name: str,
    subject: Subject,
    images: Iterable[tuple[media.Image, Sequence[TruePerson]]],
    rate_hz: float,
    similarity: Similarity,
    watch: Watch,
) -> Result:
    subject.reset(rate_hz)

    def frames() -> Iterator[Frame]:
        for image, people in images:
            poses = subject.track(image, boxes_of(people))
            watch(image, poses)
            rows = [Row(pose.person_id, pose.landmarks_px[:, :2]) for pose in poses]
            yield Frame(people, rows)

    return Result(name, judge(frames(), similarity), subject.costs)
