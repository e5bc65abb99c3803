"""One image, and what is seen in it where somebody may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from pose_ros.blazepose.appearance import body_colors
from pose_ros.blazepose.association import skeleton
from pose_ros.blazepose.datatypes import (
    Detection,
    ImageArray,
    ImageSize,
    NormalizedRect,
    size_of,
)
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.person_detectors import Place
from pose_ros.blazepose.sighting import Sighting
from pose_ros.blazepose.track import Observation, Pipeline

Stage: TypeAlias = Callable[[str], AbstractContextManager[object]]

_ANY_COLORS = np.full((2, 3), np.nan)


class Frame(NamedTuple):
    """One image (H, W, 3), RGB, its time, and what is asked of it.

    `rect` is where to look for a person; `with_mask`: the mask of each person as well.
    `distances_m` are those of the people in the image before, by id; `selected_id`: who is looked
    at on every image, if that is asked for.
    """

    image: ImageArray
    time_ns: int
    rect: NormalizedRect | None = None
    with_mask: bool = False
    distances_m: Mapping[int, float] = MappingProxyType({})
    selected_id: int | None = None

    @property
    def size(self) -> ImageSize:
        """Width and height in px."""
        return size_of(self.image)


class Observer:
    """Looks at images with the networks of a pipeline.

    `stage` gives the context in which a stage, `detect` or `landmark`, runs. `with_colors`: people
    are recognized by their colors too.
    """

    def __init__(
        self, pipeline: Pipeline, options: PoseTrackerOptions, stage: Stage, with_colors: bool
    ) -> None:
        self._pipeline = pipeline
        self._options = options
        self._stage = stage
        self._with_colors = with_colors

    def settle(self, frame: Frame, places: Sequence[Place]) -> list[Place]:
        """Return places without rough ones; instead of these, where people are seen in them."""
        rough = [place for place in places if place.is_rough]
        settled = [place for place in places if not place.is_rough]
        for place, seen in zip(rough, self._observe(frame, rough, with_mask=False), strict=True):
            rect = None if seen is None else self._pipeline.rect_around(seen)
            if rect is not None:
                settled.append(Place(rect, place.detection))
        return settled

    def look(self, frame: Frame, places: Sequence[Place]) -> list[Sighting | None]:
        """Return what is seen in each place."""
        observations = self._observe(frame, places, frame.with_mask)
        return [
            None if seen is None else self._sighting(frame, seen, place.detection)
            for seen, place in zip(observations, places, strict=True)
        ]

    def _observe(
        self, frame: Frame, places: Sequence[Place], with_mask: bool
    ) -> Sequence[Observation | None]:
        if not places:
            return []
        with self._stage("landmark"):
            return self._pipeline.observe_all(
                frame.image,
                [place.rect for place in places],
                self._options.min_tracking_confidence,
                with_mask,
                self._options.people_threads,
            )

    def _sighting(self, frame: Frame, seen: Observation, detection: Detection | None) -> Sighting:
        points_px, visibility = seen.landmarks.landmarks_px, seen.landmarks.visibility
        return Sighting(
            seen,
            skeleton(points_px, visibility, float(seen.circle_px)),
            body_colors(frame.image, points_px) if self._with_colors else _ANY_COLORS,
            detection,
        )
