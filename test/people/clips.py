"""Real clips of several people, and who is where in those whose people can be identified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import media
import numpy as np
import numpy.typing as npt

from people.alone import Span, poses_alone
from people.calibrated import Camera, read_cameras, triangulate
from people.judging import JOINTS, MATCHED, Row, Similarity, TruePerson, oks
from pose_ros.blazepose.topology import FULL_BODY

Truth = Sequence[Sequence[TruePerson]]
Floats = npt.NDArray[np.float64]

_MAX_REPROJECTION_PX = 15.0
_FACE = ("nose", "eye", "ear")
_BODY = np.array([index for index in JOINTS if FULL_BODY.names[index].split("_")[-1] not in _FACE])
# The part of its box that a person fills, where the silhouette is not known.
_AREA_PER_BOX = 0.5
_LABELED_VISIBILITY = 0.5
_CAMERAS = (1, 2, 3, 4)
_P2S_IMAGES = 100


@dataclass(frozen=True)
class Clip:
    """A clip of `media.TABLE`; `truth` gives the main people of each image, from the first on.

    Without it, or after its end, nobody is known to be there.
    """

    rate_hz: float
    truth: Callable[[], Truth] | None = None
    similarity: Similarity = oks


def _span(camera: int, *roi: float) -> Span:
    x, y, side = roi
    return Span(f"p2s_multi_cam0{camera}", (x, y, side), _P2S_IMAGES)


P2S_PEOPLE = {
    "man": (
        _span(1, 430, 770, 1000),
        _span(2, 520, 870, 1000),
        _span(3, 590, 800, 1000),
        _span(4, 280, 760, 1050),
    ),
    "woman": (
        _span(1, 715, 1270, 1160),
        _span(2, 140, 1050, 1050),
        _span(3, 240, 770, 680),
        _span(4, 730, 700, 640),
    ),
}
# As long as the people are whole, upright and in front of what else is there.
_SPORTS2D_PEOPLE = (
    Span("sports2d_demo", (1360, 760, 520), 134, first=62),
    Span("sports2d_demo", (654, 265, 480), 132, first=30),
)


def _sports2d_truth() -> Truth:
    """Two people, each tracked alone."""
    count = max(span.first + span.count for span in _SPORTS2D_PEOPLE)
    truth: list[list[TruePerson]] = [[] for _ in range(count)]
    for identity, span in enumerate(_SPORTS2D_PEOPLE):
        poses = poses_alone(f"sports2d_{identity}", span)
        for index, points_px in enumerate(poses["landmarks_px"]):
            is_labeled = poses["visibility"][index] > _LABELED_VISIBILITY
            person = TruePerson(identity, points_px, is_labeled, poses["areas_px"][index], 1.0)
            truth[span.first + index].append(person)
    return truth


def p2s_points_m(name: str, cameras: Sequence[Camera]) -> Floats:
    """Return where the landmarks (images, 33, 3) of one of P2S_PEOPLE are, by all cameras."""
    tracked = [poses_alone(f"p2s_{name}_{span.clip[-5:]}", span) for span in P2S_PEOPLE[name]]
    points_px = np.stack([poses["landmarks_px"] for poses in tracked])
    points_m = triangulate(cameras, points_px.reshape(len(cameras), -1, 2))
    return points_m.reshape(*points_px.shape[1:3], 3)


def _p2s_truth(camera: int) -> Truth:
    """Two people, each tracked alone by four calibrated cameras, as this one sees them."""
    cameras = read_cameras(media.path("p2s_calibration"))
    people = []
    for identity, name in enumerate(P2S_PEOPLE):
        points_m = p2s_points_m(name, cameras)
        seen_px = (
            cameras[camera - 1].project(points_m.reshape(-1, 3)).reshape(*points_m.shape[:2], 2)
        )
        people.append([_p2s_person(identity, landmarks_px) for landmarks_px in seen_px])
    return list(zip(*people, strict=True))


def _p2s_person(identity: int, landmarks_px: Floats) -> TruePerson:
    is_labeled = np.ones(len(landmarks_px), np.bool_)
    area_px = _AREA_PER_BOX * float(np.ptp(landmarks_px, axis=0).prod())
    return TruePerson(identity, landmarks_px, is_labeled, area_px, 1.0)


def reprojection(person: TruePerson, row: Row) -> float:
    """Return 1 for a row at the person's place, `MATCHED` where the median joint is 15 px off."""
    joints = _BODY[len(row.landmarks_px) > _BODY]
    distances_px = np.linalg.norm(row.landmarks_px[joints] - person.landmarks_px[joints], axis=1)
    return float(1 - (1 - MATCHED) * np.median(distances_px) / _MAX_REPROJECTION_PX)


# Cameras 1 and 3 see the people at right angles to the other two, whose poses alone lead to points
# that are up to 60 px off there: too far to identify them within 15 px.
CLIPS = {
    "p2s_multi_cam01": Clip(60),
    "p2s_multi_cam02": Clip(60, lambda: _p2s_truth(2), reprojection),
    "p2s_multi_cam03": Clip(60),
    "p2s_multi_cam04": Clip(60, lambda: _p2s_truth(4), reprojection),
    "sports2d_demo": Clip(30, _sports2d_truth),
}
