"""Records that pass between the stages: immutable, with checked shapes and read-only arrays.

Pixels are those of the original image (x right, y down, origin at the first pixel) unless a
name says otherwise. MediaPipe computes in float32 on coordinates normalized by the image size;
arrays in pixels here are exactly its normalized values times the image size, rounded as it
rounds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
ImageArray = npt.NDArray[np.uint8]


class ImageSize(NamedTuple):
    """Width and height of an image in pixels."""

    width_px: int
    height_px: int


def size_of(image: ImageArray) -> ImageSize:
    """Return the size of an image (H, W, 3)."""
    return ImageSize(image.shape[1], image.shape[0])


class NormalizedRect(NamedTuple):
    """A rotated rectangle as MediaPipe stores it: float32, normalized by the image size.

    It rounds the width and height of a square separately. The pipeline keeps both, since the
    tracking loop amplifies a difference of one float32 step.
    """

    x_center: np.float32
    y_center: np.float32
    width: np.float32
    height: np.float32
    rotation_rad: np.float32


def freeze(record: object, name: str, shape: tuple[int | None, ...], dtype: Any) -> None:  # noqa: ANN401
    """Replace an array field of a new record by a read-only view of checked shape.

    None stands for any length. Raises ValueError for another shape.
    """
    array = np.asarray(getattr(record, name), dtype).view()
    if array.ndim != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple("any" if want is None else want for want in shape)
        raise ValueError(f"{name} has shape {array.shape}; allowed is {wanted}")
    array.setflags(write=False)
    object.__setattr__(record, name, array)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A person found by the detector.

    `box_px` is (xmin, ymin, xmax, ymax) around the face; `keypoints_px` are mid-hip, a point on
    the circle around the body, mid-shoulder, a point on the circle around the upper body.
    """

    score: float
    box_px: Float32Array
    keypoints_px: Float32Array

    def __post_init__(self) -> None:
        freeze(self, "box_px", (4,), np.float32)
        freeze(self, "keypoints_px", (4, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """The rotated square around a person: center (2,) and side in px, rotation clockwise.

    ValueError for values that are not finite or a side that is not positive.
    """

    center_px: Float64Array
    size_px: float
    rotation_rad: float

    def __post_init__(self) -> None:
        freeze(self, "center_px", (2,), np.float64)
        values = (*self.center_px, self.size_px, self.rotation_rad)
        if not all(np.isfinite(values)) or self.size_px <= 0:
            raise ValueError(f"{self!r} is not allowed: values are finite and the size positive")

    @classmethod
    def from_normalized(cls, rect: NormalizedRect, image_size: ImageSize) -> Roi:
        """Return the ROI of a rectangle that is a square in pixels, up to rounding."""
        width, height = image_size
        center = (float(rect.x_center) * width, float(rect.y_center) * height)
        return cls(np.array(center), float(rect.width) * width, float(rect.rotation_rad))

    def normalized(self, image_size: ImageSize) -> NormalizedRect:
        """Return the rectangle in MediaPipe's float32 form."""
        width, height = image_size
        return NormalizedRect(
            np.float32(self.center_px[0] / width),
            np.float32(self.center_px[1] / height),
            np.float32(self.size_px / width),
            np.float32(self.size_px / height),
            np.float32(self.rotation_rad),
        )

    def corners_px(self) -> Float64Array:
        """Return the corners (4, 2): top left, top right, bottom right, bottom left, rotated."""
        cos, sin = np.cos(self.rotation_rad), np.sin(self.rotation_rad)
        square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (self.size_px / 2)
        corners: Float64Array = square @ np.array([(cos, sin), (-sin, cos)]) + self.center_px
        return corners


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The model's input: `tensor` (1, 3, S, S), and where in the image it comes from.

    `image_from_crop` (2, 3) maps homogeneous crop px to image px. `rect` is the region asked for,
    and `padding` the part of the tensor left (= right) and above (= below) of it.
    """

    tensor: Float32Array
    image_from_crop: Float64Array
    rect: NormalizedRect
    padding: tuple[np.float32, np.float32]

    def __post_init__(self) -> None:
        size = self.tensor.shape[-1]
        freeze(self, "tensor", (1, 3, size, size), np.float32)
        freeze(self, "image_from_crop", (2, 3), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class CropLandmarks:
    """Landmarks as the model gives them: x, y, z in crop px, K with the auxiliary ones."""

    landmarks_px: Float32Array
    visibility: Float32Array
    presence: Float32Array
    score: float
    world_m: Float32Array | None = None
    mask: Float32Array | None = None

    def __post_init__(self) -> None:
        count = len(self.landmarks_px)
        freeze(self, "landmarks_px", (count, 3), np.float32)
        freeze(self, "visibility", (count,), np.float32)
        freeze(self, "presence", (count,), np.float32)
        if self.world_m is not None:
            freeze(self, "world_m", (None, 3), np.float32)
        if self.mask is not None:
            freeze(self, "mask", (None, None), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One person in one image.

    `landmarks_px` (N, 3): x and y in image px, z on the scale of x (smaller is closer);
    `visibility` and `presence` (N,) in [0, 1]; `world_landmarks_m` (N, 3) with its origin at
    mid-hip, or None; `auxiliary_px` (2, 3); `score` of the landmark model in [0, 1]; `roi` used
    in this image and `next_roi`; `detection` if the detector ran; `mask` (H, W) in [0, 1] or
    None. `person_id` grows with each acquisition and is never used again. `held_ns` is how long
    ago the person was seen so, 0 for one who is seen in this image. It is more for one who
    `is_held`, out of sight, and with `landmark_interval_s` for one who is tracked too.
    """

    landmarks_px: Float32Array
    visibility: Float32Array
    presence: Float32Array
    auxiliary_px: Float32Array
    score: float
    roi: Roi
    next_roi: Roi
    person_id: int
    detection: Detection | None = None
    world_landmarks_m: Float32Array | None = None
    mask: Float32Array | None = None
    held_ns: int = 0
    is_held: bool = False

    def __post_init__(self) -> None:
        count = len(self.landmarks_px)
        freeze(self, "landmarks_px", (count, 3), np.float32)
        freeze(self, "visibility", (count,), np.float32)
        freeze(self, "presence", (count,), np.float32)
        freeze(self, "auxiliary_px", (2, 3), np.float32)
        if self.world_landmarks_m is not None:
            freeze(self, "world_landmarks_m", (count, 3), np.float32)
        if self.mask is not None:
            freeze(self, "mask", (None, None), np.float32)


class Poses(tuple[Pose, ...]):
    """The people in one image, by id, and what else belongs to it. Immutable.

    `held` are those who were seen shortly before, by id too, with their last poses; `tentative` is
    the number of those who were not seen often enough yet, and `candidate` the one of these, with
    id 0, who may take the place of somebody. `detector_runs` is how often the detector ran on this
    image. `time_ns` is the time that filters see, which grows from image to image. `has_jumped`:
    the image's stamp went backwards, or more than 2 s forward, and all that was remembered is
    lost. `counted_as_frame`: its stamp does not show how much time has passed, and 33.333 ms are
    assumed. `is_smoothing`: landmarks are filtered over time.
    """

    time_ns: int
    has_jumped: bool
    counted_as_frame: bool
    is_smoothing: bool
    held: tuple[Pose, ...]
    tentative: int
    candidate: Pose | None
    detector_runs: int

    def __new__(
        cls,
        poses: Iterable[Pose] = (),
        *,
        time_ns: int = 0,
        has_jumped: bool = False,
        counted_as_frame: bool = False,
        is_smoothing: bool = True,
        held: Iterable[Pose] = (),
        tentative: int = 0,
        candidate: Pose | None = None,
        detector_runs: int = 0,
    ) -> Poses:
        """Return the record."""
        self = super().__new__(cls, poses)
        vars(self).update(
            time_ns=time_ns,
            has_jumped=has_jumped,
            counted_as_frame=counted_as_frame,
            is_smoothing=is_smoothing,
            held=tuple(held),
            tentative=tentative,
            candidate=candidate,
            detector_runs=detector_runs,
        )
        return self

    @property
    def everybody(self) -> tuple[Pose, ...]:
        """Those who are tracked, those who are held, and the candidate."""
        return (*self, *self.held, *(() if self.candidate is None else (self.candidate,)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: {type(self).__name__} is immutable")
