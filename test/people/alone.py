"""One person of a clip, tracked alone with the most accurate model: what the truth comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import media
import numpy as np

from people.arrays import Arrays, stored_arrays
from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi

_FRAME_NS = 33_333_333
_OPTIONS = PoseTrackerOptions(model="heavy", smooth_landmarks=False, smooth_segmentation=False)


@dataclass(frozen=True)
class Span:
    """Images `first`, `first + step`, ... of a clip, `count` in all, in which a person is seen.

    `start_roi` (x, y, side in px) is around that person in the first image.
    """

    clip: str
    start_roi: tuple[float, float, float]
    count: int
    first: int = 0
    step: int = 1


def track_alone(span: Span) -> Iterator[tuple[media.Image, Pose | None]]:
    """Give each image of a span and the person's pose and mask in it, None if the person is lost.

    Raises MediaUnavailable if the clip can't be had.
    """
    tracker = PoseTracker(_OPTIONS)
    stop = span.first + span.count * span.step
    images = islice(media.frames(span.clip), span.first, stop, span.step)
    *center_px, side_px = span.start_roi
    roi: Roi | None = Roi(np.array(center_px), side_px, 0.0)
    for index, image in enumerate(images):
        poses = tracker.track(image, (index + 1) * _FRAME_NS, roi, with_mask=True)
        yield image, poses[0] if poses else None
        roi = None


def poses_alone(name: str, span: Span) -> Arrays:
    """Return `landmarks_px` (F, 33, 2), `visibility` (F, 33) and `areas_px` (F,) of a span.

    They are NaN where the person is lost. Raises MediaUnavailable if the clip can't be had.
    """
    return stored_arrays(name, span, lambda: _poses_alone(span))


def _poses_alone(span: Span) -> Arrays:
    poses = [pose for _, pose in track_alone(span)]
    nowhere, nothing = np.full((33, 2), np.nan), np.full(33, np.nan)
    return {
        "landmarks_px": np.stack([p.landmarks_px[:, :2] if p else nowhere for p in poses]),
        "visibility": np.stack([p.visibility if p else nothing for p in poses]),
        "areas_px": np.array([np.sum(np.asarray(p.mask)) if p else np.nan for p in poses]),
    }
