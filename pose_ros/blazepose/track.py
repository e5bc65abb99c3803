"""One person: found, seen in an image, and tracked from image to image.

ref: pose_landmark_upper_body_cpu.pbtxt, pose_landmark_cpu.pbtxt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import (
    Crop,
    CropLandmarks,
    Detection,
    Float32Array,
    Float64Array,
    ImageArray,
    ImageSize,
    NormalizedRect,
    Pose,
    Roi,
    size_of,
)
from pose_ros.blazepose.detector import Detector
from pose_ros.blazepose.inference import Network, Shapes
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.mask_smoothing import smooth_mask
from pose_ros.blazepose.models import MODELS, MOVENET, PoseModel
from pose_ros.blazepose.movenet import MoveNet
from pose_ros.blazepose.options import ModelOptions
from pose_ros.blazepose.projection import project_landmarks, project_mask, project_world
from pose_ros.blazepose.regions import Region
from pose_ros.blazepose.roi import circle_size_px, roi_from_box, roi_from_points
from pose_ros.blazepose.smoothing import LandmarkSet, PoseSmoother


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What the landmark model sees of one person in one image, before any smoothing.

    `rect` is where it looked, in an image of `image_size`; `presence` (N,) and `score` are in
    [0, 1], and so is `mask` (H, W), None unless it was asked for.
    """

    rect: NormalizedRect
    image_size: ImageSize
    landmarks: LandmarkSet
    presence: Float32Array
    score: float
    mask: Float32Array | None

    @property
    def circle_px(self) -> np.float32:
        """Diameter of the circle around the person."""
        return circle_size_px(self.landmarks.auxiliary_px[:, :2], self.image_size)


class Pipeline:
    """The networks of one pose model: images to detections and observations, without memory.

    It keeps the buffers of its crops, so it serves one caller, and with several people shares the
    work among threads of its own. `backend` loads and runs the networks. Raises ModelFileError,
    ModelShapeError or OptionError when they cannot be loaded. The detector is not loaded if
    another one finds people.
    """

    def __init__(
        self,
        options: ModelOptions,
        backend: type[Network],
        models_dir: Path | None = None,
    ) -> None:
        def load(file: str, inputs: Shapes, outputs: Shapes) -> Network:
            return backend(file, inputs, outputs, options, models_dir)

        self.model = MODELS[options.model]
        is_given = options.person_detector == "topic"
        self._detector = None if is_given else Detector(self.model.detector, load)
        self.movenet = MoveNet(MOVENET, load) if options.person_detector == "movenet" else None
        self._landmarker = Landmarker(self.model, options.heatmap_kernel, load)
        self.network = self._landmarker.network
        self._croppers = [Cropper(self.model.input_size)]
        self._others = ThreadPoolExecutor(thread_name_prefix="pose_people")

    def detect(
        self, image: ImageArray, min_score: float, region: Region | None = None
    ) -> Iterator[tuple[NormalizedRect, Detection]]:
        """Yield where to look for each person found in an RGB image (H, W, 3), or a region of it.

        The detection with the highest score comes first; all have at least `min_score`. Nobody is
        found without a detector.
        """
        if self._detector is None:
            return
        for detection in self._detector.detect(image, min_score, region):
            points_px = detection.keypoints_px[list(self.model.roi_keypoints)]
            rect = roi_from_points(points_px, self.model.roi_scale, size_of(image))
            if rect is not None:
                yield rect, detection

    def rect_of_box(self, box_px: Float64Array, image_size: ImageSize) -> NormalizedRect:
        """Return about where to look for the person in a box (4,): xmin, ymin, xmax, ymax."""
        return roi_from_box(box_px, image_size)

    def rect_around(self, seen: Observation) -> NormalizedRect | None:
        """Return where to look again for what is seen; None for an empty circle."""
        points_px = seen.landmarks.auxiliary_px[:, :2]
        return roi_from_points(points_px, self.model.roi_scale, seen.image_size)

    def load_mask(self) -> None:
        """Load the network that also has the mask, unless it is loaded.

        Raises OptionError if the model has none, ModelFileError if it cannot be loaded.
        """
        self._landmarker.load_mask()

    def observe(
        self, image: ImageArray, rect: NormalizedRect, min_score: float, with_mask: bool = False
    ) -> Observation | None:
        """Return what is seen in the rectangle of an RGB image (H, W, 3) uint8.

        None unless the landmark model's score is above `min_score`. `with_mask`: the mask as
        well; raises what `load_mask` raises.
        """
        return self._observe(self._croppers[0], image, rect, min_score, with_mask)

    def observe_all(
        self,
        image: ImageArray,
        rects: Sequence[NormalizedRect],
        min_score: float,
        with_mask: bool = False,
        threads: int = 1,
    ) -> list[Observation | None]:
        """Return what `observe` returns for each rectangle; up to `threads` share the work.

        Each of them has a cropper of its own, and they call one network at the same time.
        """
        threads = max(1, min(threads, len(rects)))
        while len(self._croppers) < threads:
            self._croppers.append(Cropper(self.model.input_size))
        left = deque(enumerate(rects))
        seen: list[Observation | None] = [None] * len(rects)

        def share(cropper: Cropper) -> None:
            for index, rect in _taken(left):
                seen[index] = self._observe(cropper, image, rect, min_score, with_mask)

        own, *others = self._croppers[:threads]
        shares = [self._others.submit(share, cropper) for cropper in others]
        try:
            share(own)
        finally:
            wait(shares)  # the next image needs their croppers
        for other in shares:
            other.result()  # raises what the thread raised
        return seen

    def _observe(
        self,
        cropper: Cropper,
        image: ImageArray,
        rect: NormalizedRect,
        min_score: float,
        with_mask: bool,
    ) -> Observation | None:
        crop = cropper.crop(image, rect)
        found = self._landmarker.predict(crop, min_score, with_mask)
        if found is None:
            return None
        size = size_of(image)
        return Observation(
            rect=rect,
            image_size=size,
            landmarks=self._project(found, crop, size),
            presence=found.presence[: len(self.model.topology)],
            score=found.score,
            mask=None if found.mask is None else project_mask(found.mask, crop, size),
        )

    def _project(self, found: CropLandmarks, crop: Crop, size: ImageSize) -> LandmarkSet:
        count = len(self.model.topology)
        points_px = project_landmarks(found.landmarks_px, crop, size)
        world_m = found.world_m
        if world_m is not None:
            world_m = project_world(world_m[:count], crop.rect.rotation_rad)
        return LandmarkSet(
            landmarks_px=points_px[:count],
            auxiliary_px=points_px[list(self.model.auxiliary)],
            visibility=found.visibility[:count],
            world_m=world_m,
        )


def _taken(left: deque[tuple[int, NormalizedRect]]) -> Iterator[tuple[int, NormalizedRect]]:
    """Yield what no other thread has taken yet."""
    while True:
        try:
            item = left.popleft()
        except IndexError:
            return
        yield item


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """All that is remembered of one person from image to image.

    `next_rect` is where to look in the next image, None for a person not seen yet; `mask` is that
    of the image before.
    """

    model: PoseModel
    person_id: int
    smoother: PoseSmoother
    next_rect: NormalizedRect | None = None
    mask: Float32Array | None = None

    def update(
        self,
        seen: Observation,
        time_ns: int,
        detection: Detection | None = None,
        smooth_segmentation: bool = True,
    ) -> tuple[Pose, Track] | None:
        """Return the person's pose, and the track for the next image; None if that has no ROI.

        `time_ns` grows from image to image; `detection` is the one that led to the observation.
        """
        size = seen.image_size
        filtered, smoother = self.smoother.apply(seen.landmarks, seen.circle_px, size, time_ns)
        next_rect = roi_from_points(filtered.auxiliary_px[:, :2], self.model.roi_scale, size)
        if next_rect is None:
            return None
        mask = seen.mask
        if mask is not None and smooth_segmentation:
            mask = smooth_mask(mask, self.mask)
        pose = Pose(
            landmarks_px=filtered.landmarks_px,
            visibility=filtered.visibility,
            presence=seen.presence,
            auxiliary_px=filtered.auxiliary_px,
            score=seen.score,
            roi=Roi.from_normalized(seen.rect, size),
            next_roi=Roi.from_normalized(next_rect, size),
            person_id=self.person_id,
            detection=detection,
            world_landmarks_m=filtered.world_m,
            mask=mask,
        )
        return pose, replace(self, smoother=smoother, next_rect=next_rect, mask=mask)
