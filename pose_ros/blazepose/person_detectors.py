"""What finds people in an image: one class for each value of `person_detector`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from pose_ros.blazepose.association import Skeleton, is_known
from pose_ros.blazepose.boxes import boxes_within, unknown_boxes
from pose_ros.blazepose.datatypes import (
    Detection,
    Float64Array,
    ImageArray,
    NormalizedRect,
    size_of,
)
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.regions import Region, search_regions
from pose_ros.blazepose.track import Pipeline

_MOVENET_SCORE = 0.6
"""The score of MoveNet that is worth as much as a score of 1 of MediaPipe's detector."""


class Place(NamedTuple):
    """Where somebody may be, and the detection of this person if there is one.

    What is seen in a rough place shows where the person is, and then has to be looked at again.
    """

    rect: NormalizedRect
    detection: Detection | None = None
    is_rough: bool = False


class PersonDetector(Protocol):
    """Something that finds people in an image, one region of it at a time.

    While somebody is tracked it runs every `interval_ns`, or every `moving_interval_ns` while
    something moves where nobody is known. One that `repeats` runs on the next image as well after
    it found somebody new.
    """

    @property
    def interval_ns(self) -> int:
        """The time between two runs."""

    @property
    def moving_interval_ns(self) -> int:
        """The time between two runs while something moves."""

    @property
    def repeats(self) -> bool:
        """Whether another run may soon find more people."""

    def regions(self, area: Region) -> tuple[Region, ...]:
        """Return where in an area people are searched for, the area itself first."""

    def find(
        self, image: ImageArray, region: Region, known: Sequence[Skeleton], turn: int
    ) -> list[Place]:
        """Return where in a region of an RGB image (H, W, 3) people are who are not known.

        The best come first. `turn` is the number of runs before, in a row, that added nobody.
        """


class BlazePoseDetector:
    """MediaPipe's detector, on the image and on squares of it in turn."""

    interval_ns = 120_000_000
    moving_interval_ns = 60_000_000
    repeats = True

    def __init__(self, pipeline: Pipeline, options: PoseTrackerOptions) -> None:
        self._pipeline = pipeline
        self._min_score = options.min_detection_confidence

    def regions(self, area: Region) -> tuple[Region, ...]:
        """Return the area, and squares for people who are small in it."""
        return search_regions(area)

    def find(
        self, image: ImageArray, region: Region, known: Sequence[Skeleton], turn: int
    ) -> list[Place]:
        """Return where people are, with their detections."""
        return [
            Place(rect, detection)
            for rect, detection in self._pipeline.detect(image, self._min_score, region)
            if not is_known(detection.keypoints_px, known)
        ]


class MoveNetDetector:
    """MoveNet, and MediaPipe's detector in turn, both on the whole area.

    MoveNet finds more people, but hardly those who fill the image. `boxes_px` gives its boxes
    (B, 4) in a region of an image, with scores from a minimum on, the best first.
    """

    interval_ns = moving_interval_ns = 150_000_000
    repeats = True

    def __init__(
        self,
        pipeline: Pipeline,
        boxes_px: Callable[[ImageArray, float, Region], Float64Array],
        options: PoseTrackerOptions,
    ) -> None:
        self._pipeline, self._boxes_px = pipeline, boxes_px
        self._blazepose = BlazePoseDetector(pipeline, options)
        self._min_score = _MOVENET_SCORE * options.min_detection_confidence

    def regions(self, area: Region) -> tuple[Region, ...]:
        """Return the area: people who are small in it are found too."""
        return (area,)

    def find(
        self, image: ImageArray, region: Region, known: Sequence[Skeleton], turn: int
    ) -> list[Place]:
        """Return the rough places of MoveNet's boxes, or in every other turn what it may miss.

        While nobody is known, what it may miss comes first.
        """
        is_other_turn = turn % 2 == 1
        places = []
        if is_other_turn or not known:
            places = self._blazepose.find(image, region, known, turn)
        if is_other_turn:
            return places
        size = size_of(image)
        boxes_px = self._boxes_px(image, self._min_score, region)
        return places + [
            Place(self._pipeline.rect_of_box(box_px, size), is_rough=True)
            for box_px in unknown_boxes(boxes_px, known, size)
        ]


class GivenBoxes:
    """Boxes (B, 4) that another detector has found, the surest first.

    As many are looked into at once as people may be tracked. If nobody is seen there, the next
    ones have their turn.
    """

    interval_ns = moving_interval_ns = BlazePoseDetector.interval_ns
    repeats = False

    def __init__(self, pipeline: Pipeline, boxes_px: Float64Array, max_persons: int) -> None:
        self._pipeline = pipeline
        self._boxes_px = boxes_px
        self._most = max_persons

    def regions(self, area: Region) -> tuple[Region, ...]:
        """Return the area: the boxes are known without a search."""
        return (area,)

    def find(
        self, image: ImageArray, region: Region, known: Sequence[Skeleton], turn: int
    ) -> list[Place]:
        """Return the rough places of boxes; in another turn others come first."""
        size = size_of(image)
        boxes_px = unknown_boxes(boxes_within(self._boxes_px, region, size), known, size)
        turns = max(-(-len(boxes_px) // self._most), 1)
        # one further after all had a turn, since there may be room for less than so many people
        start = turn * self._most + turn // turns
        in_turn = np.roll(boxes_px, -start, axis=0)[: self._most]
        rects = (self._pipeline.rect_of_box(box_px, size) for box_px in in_turn)
        return [Place(rect, is_rough=True) for rect in rects]


def make_person_detector(
    pipeline: Pipeline, options: PoseTrackerOptions, boxes_px: Float64Array | None
) -> PersonDetector | None:
    """Return what finds people in one image; None if they come from outside and have not come.

    `boxes_px` (B, 4) that come with the image take the place of the detector.
    """
    if boxes_px is not None:
        return GivenBoxes(pipeline, boxes_px, options.max_persons)
    if pipeline.movenet is not None:
        return MoveNetDetector(pipeline, pipeline.movenet.boxes_px, options)
    return None if options.person_detector == "topic" else BlazePoseDetector(pipeline, options)
