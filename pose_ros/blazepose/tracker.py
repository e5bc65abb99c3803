"""The pose tracker: detector on the first image, then landmarks and the next ROI from them.

ref: pose_landmark_upper_body_cpu.pbtxt, pose_landmark_cpu.pbtxt.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from pose_ros.blazepose.crop import MAX_SIDE_PX, Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    CropLandmarks,
    Detection,
    Float32Array,
    ImageArray,
    ImageSize,
    Pose,
    Roi,
    size_of,
)
from pose_ros.blazepose.detector import Detector
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import PoseTrackerOptions, option_specs
from pose_ros.blazepose.projection import (
    mirror_pose,
    mirror_roi,
    project_landmarks,
    project_mask,
    project_world,
)
from pose_ros.blazepose.roi import circle_size_px, roi_from_points
from pose_ros.blazepose.smoothing import LandmarkSet, PoseSmoother, smooth_mask
from pose_ros.blazepose.timeline import Timeline

Stage: TypeAlias = Callable[[str], AbstractContextManager[object]]

_LOADED = {
    "model",
    "providers",
    "intra_op_threads",
    "heatmap_kernel",
    "allow_unverified_models",
}
_UNRELATED = {"mirrored_input", "static_image_mode"}


@dataclass(frozen=True, slots=True)
class _State:
    """All that the tracker remembers from one image to the next."""

    smoother: PoseSmoother
    roi: Roi | None = None
    person_id: int | None = None
    mask: Float32Array | None = None
    image_size: ImageSize | None = None
    timeline: Timeline = field(default_factory=Timeline)


class PoseTracker:
    """Tracks one person through a sequence of images.

    `models_dir` holds the model files and their manifest (None: the source tree's `models/`).
    `stage` gives the context in which a stage, `detect` or `landmark`, runs: a caller with a clock
    can time it. Raises ModelFileError, ModelShapeError or OptionError when the models cannot be
    loaded.
    """

    def __init__(
        self,
        options: PoseTrackerOptions,
        models_dir: Path | None = None,
        stage: Stage = nullcontext,
    ) -> None:
        self._models_dir = models_dir
        self._stage = stage
        self._persons = 0
        self._time_jumps = 0
        self._options = options
        self._load(options)

    @property
    def options(self) -> PoseTrackerOptions:
        """The options in force."""
        return self._options

    @property
    def time_jumps(self) -> int:
        """How often a time stamp went backwards, or more than 2 s forward, and state was lost."""
        return self._time_jumps

    def reset(self) -> None:
        """Forget the person, the filters and the time."""
        self._state = self._fresh_state()

    def configure(self, options: PoseTrackerOptions) -> None:
        """Change options between two images; the state lives on where it still has a meaning.

        Another model, runtime or kind of input starts afresh. Raises what the constructor raises,
        and then changes nothing.
        """
        names = option_specs(PoseTrackerOptions)
        changed = {
            name for name in names if getattr(options, name) != getattr(self._options, name)
        }
        if changed & _LOADED:
            self._load(options)
        elif "enable_segmentation" in changed:
            self._landmarker = Landmarker(self._model, options, self._models_dir)
        self._options = options
        if changed & _UNRELATED:
            self.reset()
        elif "smooth_landmarks" in changed:
            self._state = replace(self._state, smoother=self._fresh_smoother())

    def _load(self, options: PoseTrackerOptions) -> None:
        model = MODELS[options.model]
        detector = Detector(model.detector, options, self._models_dir)
        landmarker = Landmarker(model, options, self._models_dir)
        self._options, self._model = options, model
        self._detector, self._landmarker = detector, landmarker
        self._cropper = Cropper(model.input_size)
        self.reset()

    def track(
        self, image: ImageArray, timestamp_ns: int, roi: Roi | None = None
    ) -> tuple[Pose, ...]:
        """Return the poses in an RGB image (H, W, 3) uint8; an empty tuple if there is none.

        `timestamp_ns` drives the filters: a stamp that is zero or equal to the last one counts as
        a frame of 33.333 ms; a stamp that goes backwards or jumps by more than 2 s starts afresh.
        `roi` replaces the tracked or detected ROI for this image. Raises ImageError.
        """
        check_image(image)
        if not self._options.mirrored_input:
            pose = self._track(image, timestamp_ns, roi)
            return () if pose is None else (pose,)
        width_px = image.shape[1]
        mirrored = np.asarray(cv2.flip(image, 1), np.uint8)
        pose = self._track(mirrored, timestamp_ns, roi and mirror_roi(roi, width_px))
        return () if pose is None else (mirror_pose(pose, width_px),)

    def _track(self, image: ImageArray, timestamp_ns: int, roi: Roi | None) -> Pose | None:
        state = self._advance(size_of(image), timestamp_ns)
        roi, detection = self._find_roi(image, roi or state.roi)
        pose = None
        if roi is not None:
            pose, state = self._predict(image, roi, detection, state)
        self._state = self._lost(state) if pose is None else state
        return pose

    def _advance(self, size: ImageSize, timestamp_ns: int) -> _State:
        """Return the state that this image starts from, its time moved on."""
        state = self._state
        if self._options.static_image_mode or state.image_size not in (None, size):
            state = self._fresh_state()
        timeline = state.timeline.advance(timestamp_ns)
        if timeline.has_jumped:
            self._time_jumps += 1
            state = self._fresh_state()
        return replace(state, image_size=size, timeline=timeline)

    def _find_roi(self, image: ImageArray, roi: Roi | None) -> tuple[Roi | None, Detection | None]:
        """Return the ROI that is known, or the one of a new detection."""
        if roi is not None:
            return roi, None
        with self._stage("detect"):
            detection = self._detector.detect(image, self._options.min_detection_confidence)
        if detection is None:
            return None, None
        points_px = detection.keypoints_px[list(self._model.roi_keypoints)]
        return roi_from_points(points_px, self._model.roi_scale, size_of(image)), detection

    def _predict(
        self, image: ImageArray, roi: Roi, detection: Detection | None, state: _State
    ) -> tuple[Pose | None, _State]:
        """Return the pose in the ROI, or None, and the state after it."""
        with self._stage("landmark"):
            crop = self._cropper.crop(image, roi)
            found = self._landmarker.predict(crop, self._options.min_tracking_confidence)
        if found is None:
            return None, state
        size = size_of(image)
        raw = self._in_image(found, crop, size)
        scale_px = circle_size_px(raw.auxiliary_px[:, :2], size)
        filtered, smoother = state.smoother.apply(raw, scale_px, size, state.timeline.time_ns)
        next_roi = roi_from_points(filtered.auxiliary_px[:, :2], self._model.roi_scale, size)
        if next_roi is None:
            return None, state
        pose = Pose(
            landmarks_px=filtered.landmarks_px,
            visibility=filtered.visibility,
            presence=found.presence[: len(self._model.topology)],
            auxiliary_px=filtered.auxiliary_px,
            score=found.score,
            roi=roi,
            next_roi=next_roi,
            person_id=self._next_person() if state.person_id is None else state.person_id,
            detection=detection,
            world_landmarks_m=filtered.world_m,
            mask=self._mask(found, crop, size, state.mask),
        )
        return pose, replace(
            state, smoother=smoother, roi=next_roi, person_id=pose.person_id, mask=pose.mask
        )

    def _in_image(self, found: CropLandmarks, crop: Crop, size: ImageSize) -> LandmarkSet:
        count = len(self._model.topology)
        points_px = project_landmarks(found.landmarks_px, crop, size)
        world_m = found.world_m
        return LandmarkSet(
            landmarks_px=points_px[:count],
            auxiliary_px=points_px[list(self._model.auxiliary)],
            visibility=found.visibility[:count],
            world_m=None if world_m is None else project_world(world_m[:count], crop.roi),
        )

    def _mask(
        self, found: CropLandmarks, crop: Crop, size: ImageSize, previous: Float32Array | None
    ) -> Float32Array | None:
        if found.mask is None:
            return None
        mask = project_mask(found.mask, crop, size)
        is_smooth = self._options.smooth_segmentation and not self._options.static_image_mode
        return smooth_mask(mask, previous) if is_smooth else mask

    def _lost(self, state: _State) -> _State:
        """Return the state without the person; only the time goes on."""
        return replace(self._fresh_state(), image_size=state.image_size, timeline=state.timeline)

    def _fresh_state(self) -> _State:
        return _State(self._fresh_smoother())

    def _fresh_smoother(self) -> PoseSmoother:
        is_smoothing = self._options.smooth_landmarks and not self._options.static_image_mode
        return PoseSmoother.fresh(self._model.smoothing, is_smoothing)

    def _next_person(self) -> int:
        self._persons += 1
        return self._persons


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
