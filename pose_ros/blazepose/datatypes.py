"""Records that pass between the stages: immutable, with checked shapes and read-only arrays.

Pixels are those of the original image (x right, y down, origin at the first pixel) unless a
name says otherwise. MediaPipe computes in float32 on coordinates normalized by the image size;
arrays in pixels here are exactly its normalized values times the image size, rounded as it
rounds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.errors import ImageError

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
    """A rotated rectangle as MediaPipe stores it: float32, normalized by the image size."""

    x_center: np.float32
    y_center: np.float32
    width: np.float32
    height: np.float32
    rotation_rad: np.float32


def _freeze(record: object, name: str, shape: tuple[int | None, ...], dtype: Any) -> None:  # noqa: ANN401
    """Replace an array field by a read-only view of checked shape (None: any length)."""
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
        _freeze(self, "box_px", (4,), np.float32)
        _freeze(self, "keypoints_px", (4, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """The rotated square around a person: centre (2,) and side in px, rotation clockwise.

    ValueError for values that are not finite or a side that is not positive.
    """

    center_px: Float64Array
    size_px: float
    rotation_rad: float
    # MediaPipe rounds the normalized width and height apart; an ROI made by the pipeline keeps
    # both, because the tracking loop amplifies a difference of one float32 step.
    _extent: tuple[np.float32, np.float32] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _freeze(self, "center_px", (2,), np.float64)
        values = (*self.center_px, self.size_px, self.rotation_rad)
        if not all(np.isfinite(values)) or self.size_px <= 0:
            raise ValueError(f"{self!r} is not allowed: values are finite and the size positive")

    @classmethod
    def from_normalized(cls, rect: NormalizedRect, image_size: ImageSize) -> Roi:
        """Return the ROI of a rectangle that is a square in pixels, up to rounding."""
        width, height = image_size
        center = (float(rect.x_center) * width, float(rect.y_center) * height)
        return cls(
            np.array(center),
            float(rect.width) * width,
            float(rect.rotation_rad),
            (np.float32(rect.width), np.float32(rect.height)),
        )

    def normalized(self, image_size: ImageSize) -> NormalizedRect:
        """Return the rectangle in MediaPipe's float32 form."""
        width, height = image_size
        extent = self._extent or (self.size_px / width, self.size_px / height)
        return NormalizedRect(
            np.float32(self.center_px[0] / width),
            np.float32(self.center_px[1] / height),
            np.float32(extent[0]),
            np.float32(extent[1]),
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
    """The model's input: `tensor` (1, 3, S, S), and where it comes from.

    `image_from_crop` (2, 3) maps homogeneous crop px to image px. `padding` is the part of the
    tensor left (= right) and above (= below) of the region asked for.
    """

    tensor: Float32Array
    image_from_crop: Float64Array
    roi: Roi
    padding: tuple[np.float32, np.float32]

    def __post_init__(self) -> None:
        size = self.tensor.shape[-1]
        _freeze(self, "tensor", (1, 3, size, size), np.float32)
        _freeze(self, "image_from_crop", (2, 3), np.float64)


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
        _freeze(self, "landmarks_px", (count, 3), np.float32)
        _freeze(self, "visibility", (count,), np.float32)
        _freeze(self, "presence", (count,), np.float32)
        if self.world_m is not None:
            _freeze(self, "world_m", (None, 3), np.float32)
        if self.mask is not None:
            _freeze(self, "mask", (None, None), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One person in one image.

    `landmarks_px` (N, 3): x and y in image px, z on the scale of x (smaller is closer);
    `visibility` and `presence` (N,) in [0, 1]; `world_landmarks_m` (N, 3) with its origin at
    mid-hip, or None; `auxiliary_px` (2, 3); `score` of the landmark model in [0, 1]; `roi` used
    in this image and `next_roi`; `detection` if the detector ran; `mask` (H, W) in [0, 1] or
    None. `person_id` grows with each acquisition and is never used again.
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

    def __post_init__(self) -> None:
        count = len(self.landmarks_px)
        _freeze(self, "landmarks_px", (count, 3), np.float32)
        _freeze(self, "visibility", (count,), np.float32)
        _freeze(self, "presence", (count,), np.float32)
        _freeze(self, "auxiliary_px", (2, 3), np.float32)
        if self.world_landmarks_m is not None:
            _freeze(self, "world_landmarks_m", (count, 3), np.float32)
        if self.mask is not None:
            _freeze(self, "mask", (None, None), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DepthImage:
    """Depths along the camera's axis, one for each pixel of the image: (H, W) uint16 or float32.

    Zero, negative and not finite values are unknown. Raises ImageError for another shape or type.
    """

    values: npt.NDArray[np.uint16] | Float32Array
    metres_per_unit: float

    def __post_init__(self) -> None:
        shape, dtype = np.shape(self.values), getattr(self.values, "dtype", None)
        if len(shape) != 2 or dtype not in (np.uint16, np.float32):
            raise ImageError(
                f"depth image has shape {shape} and type {dtype}; "
                "allowed is (height, width) uint16 or float32"
            )

    @property
    def size(self) -> ImageSize:
        """Width and height in pixels."""
        return ImageSize(self.values.shape[1], self.values.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """Landmarks (N, 3) of one person in the camera's optical frame, in m; NaN where unknown.

    Each lies on the ray of its own pixel. `source` tells what the distance comes from: "depth",
    "world", or "none" if all are unknown.
    """

    landmarks_m: Float32Array
    source: str

    def __post_init__(self) -> None:
        _freeze(self, "landmarks_m", (None, 3), np.float32)
