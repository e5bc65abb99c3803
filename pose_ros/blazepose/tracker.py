"""The pose tracker: detector on the first image, then landmarks and the next ROI from them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.boxes import check_boxes, mirror_boxes
from pose_ros.blazepose.crop import MAX_SIDE_PX
from pose_ros.blazepose.datatypes import (
    ImageArray,
    ImageSize,
    Poses,
    Roi,
    size_of,
)
from pose_ros.blazepose.engine_model import EngineModel
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.inference import Network
from pose_ros.blazepose.observer import Frame, Stage
from pose_ros.blazepose.options import ModelOptions, PoseTrackerOptions
from pose_ros.blazepose.people import People
from pose_ros.blazepose.person import PersonState
from pose_ros.blazepose.projection import mirror_pose, mirror_roi
from pose_ros.blazepose.step import Step
from pose_ros.blazepose.timeline import Timeline
from pose_ros.blazepose.track import Pipeline


@dataclass(frozen=True, slots=True)
class _State:
    """All that the tracker remembers from one image to the next."""

    people: People
    image_size: ImageSize | None = None
    timeline: Timeline = field(default_factory=Timeline)

    def fresh(self) -> _State:
        """Return the state without people and time; ids are never used again."""
        return _State(People(self.people.next_person_id))


class PoseTracker:
    """Tracks people through a sequence of images.

    `models_dir` holds the model files and their manifest (None: the source tree's `models/`).
    `stage` gives the context in which a stage, `detect` or `landmark`, runs: a caller with a clock
    can time it. People get ids from `first_person_id` on. `backend` loads and runs the networks.
    Calls from several threads wait for each other. Raises ModelFileError, ModelShapeError or
    OptionError when the models cannot be loaded.
    """

    def __init__(
        self,
        options: PoseTrackerOptions,
        models_dir: Path | None = None,
        stage: Stage = nullcontext,
        first_person_id: int = 1,
        backend: type[Network] = EngineModel,
    ) -> None:
        self._open = partial(Pipeline, models_dir=models_dir, backend=backend)
        self._stage = stage
        self._options = options
        self._pipeline = self._open(options)
        self._state = _State(People(first_person_id))
        self._lock = threading.Lock()

    @property
    def options(self) -> PoseTrackerOptions:
        """The options in force."""
        return self._options

    @property
    def next_person_id(self) -> int:
        """The id of the next person to be found; a tracker that replaces this one needs it."""
        return self._state.people.next_person_id

    @property
    def network(self) -> Network:
        """The network of landmarks without masks; it says what runs it."""
        return self._pipeline.network

    def reset(self) -> None:
        """Forget the person, the filters and the time."""
        with self._lock:
            self._state = self._state.fresh()

    def configure(self, options: PoseTrackerOptions) -> None:
        """Change options between two images; what is remembered stays where it has a meaning.

        Another model, runtime or kind of input resets. Raises what the constructor raises, and
        then changes nothing.
        """
        with self._lock:
            old, state = self._options, self._state
            needs_models = options.part(ModelOptions) != old.part(ModelOptions)
            pipeline = self._open(options) if needs_models else self._pipeline
            if needs_models or _kind_of_input(options) != _kind_of_input(old):
                state = state.fresh()
            elif _smoothing(options) != _smoothing(old):
                state = replace(state, people=state.people.with_fresh_filters(options))
            self._options, self._pipeline, self._state = options, pipeline, state

    def load_mask(self) -> None:
        """Load the network that predicts masks, unless it is loaded; else the first use does.

        Raises OptionError if the model has none, ModelFileError if it cannot be loaded.
        """
        with self._lock:
            self._pipeline.load_mask()

    def track(
        self,
        image: ImageArray,
        timestamp_ns: int,
        roi: Roi | None = None,
        with_mask: bool = False,
        boxes_px: npt.ArrayLike | None = None,
        distances_m: Mapping[int, float] | None = None,
        selected_id: int | None = None,
    ) -> Poses:
        """Return the poses in an RGB image (H, W, 3) uint8; empty if there is none.

        `timestamp_ns` drives the filters: a stamp that is zero, or less than 0.5 ms after the last
        one, counts as a frame of 33.333 ms; one that goes backwards or jumps by more than 2 s
        resets. `roi` replaces the tracked or detected ROI for this image; with several people it
        is one more place to look. `with_mask`: the mask of each person's pixels as well; raises
        what `load_mask` raises. `boxes_px` (B, 4), xmin, ymin, xmax, ymax: where another detector
        finds people in this image, the surest first; they take the place of the own detector.
        Boxes that are not finite, outside, or below 1 px are left out. `distances_m`: how far the
        people of the last result are from the camera, by id, and its candidate, of id 0; `select`
        nearest needs them. `selected_id`: who is looked at on every image with
        `landmark_interval_s`; else whom `select` prefers. Raises ImageError, and ValueError for
        boxes of another shape. An image that fails changes nothing.
        """
        check_image(image)
        boxes = None if boxes_px is None else check_boxes(boxes_px)
        with self._lock:
            size = size_of(image)
            if self._options.mirrored_input:
                image = np.asarray(cv2.flip(image, 1), np.uint8)
                roi = None if roi is None else mirror_roi(roi, size.width_px)
                boxes = None if boxes is None else mirror_boxes(boxes, size.width_px)
            rect = None if roi is None else roi.normalized(size)
            if with_mask:
                self._pipeline.load_mask()
            state = self._advance(size, timestamp_ns)
            step = Step(self._pipeline, self._options, self._stage, boxes)
            time_ns, distances = state.timeline.time_ns, distances_m or {}
            frame = Frame(image, time_ns, rect, with_mask, distances, selected_id)
            self._state = replace(state, people=step(state.people, frame))
            return self._poses(size, runs_before=state.people.search.runs)

    def _poses(self, size: ImageSize, runs_before: int) -> Poses:
        """Return the result of the last image; `runs_before`: of the detector, before it."""
        people, timeline, options = self._state.people, self._state.timeline, self._options
        poses, held, tentative = (
            people.poses(state, timeline.time_ns)
            for state in (PersonState.TRACKED, PersonState.HELD, PersonState.TENTATIVE)
        )
        if options.mirrored_input:
            poses, held, tentative = (
                [mirror_pose(pose, size.width_px) for pose in some]
                for some in (poses, held, tentative)
            )
        return Poses(
            poses,
            time_ns=timeline.time_ns,
            has_jumped=timeline.has_jumped,
            counted_as_frame=timeline.counted_as_frame,
            is_smoothing=options.is_smoothing,
            held=held,
            tentative=len(tentative),
            candidate=tentative[0] if tentative and len(poses) >= options.max_persons else None,
            detector_runs=people.search.runs - runs_before,
        )

    def _advance(self, size: ImageSize, timestamp_ns: int) -> _State:
        """Return the state that this image starts from, its time moved on."""
        state = self._state
        if self._options.static_image_mode or state.image_size not in (None, size):
            state = state.fresh()
        timeline = state.timeline.advance(timestamp_ns)
        if timeline.has_jumped:
            state = state.fresh()
        return replace(state, image_size=size, timeline=timeline)


def _smoothing(options: PoseTrackerOptions) -> tuple[bool, float, float]:
    return options.is_smoothing, options.smoothing_min_cutoff, options.smoothing_beta


def _kind_of_input(options: PoseTrackerOptions) -> tuple[bool, bool]:
    return options.mirrored_input, options.static_image_mode


def check_image(image: ImageArray) -> None:
    """Raise ImageError unless the image is (H, W, 3) uint8, its sides from 1 to 32766 px."""
    shape, dtype = np.shape(image), getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ImageError(
            f"image has shape {shape} and type {dtype}; allowed is (height, width, 3) uint8, RGB"
        )
    if max(shape) > MAX_SIDE_PX:
        raise ImageError(
            f"image has {shape[1]} x {shape[0]} pixels; allowed are {MAX_SIDE_PX} per side"
        )
