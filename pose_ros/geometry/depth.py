"""Distances of landmarks from a depth image: what is measured, and what of it can be true.

A depth camera sees skin and clothes, so these are distances of the visible surface; a joint lies
some centimeters deeper, the hip of an adult about 10 cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.datatypes import Float32Array, Float64Array, ImageSize, Pose
from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.topology import HIPS, SHOULDERS, UPPER_BODY
from pose_ros.geometry.options import PositionOptions

BoolArray = npt.NDArray[np.bool_]

MIN_VISIBILITY = 0.5
"""Landmarks with less visibility are not used to find where a person is."""

# A patch is a square around the landmark; the side of the ROI is that of a body, about 2 m.
_PATCH_OF_ROI = 0.006
_MIN_RADIUS_PX, _MAX_RADIUS_PX = 2, 12
_MIN_FILLED = 0.2
# Of a patch the nearest surface counts, which is the limb and not what is behind it.
_NEAR_PART = 0.2
_SURFACE_M = 0.1
_AGREE_M = 0.15
# Of a torso that is turned the model's left and right are off by more.
_TORSO_AGREES_M = 0.25
_MIN_REACHABLE = 3

_TORSO = (*HIPS, *SHOULDERS)

_LONG_REACH_M = {
    (11, 12): 0.55,
    (23, 24): 0.5,
    (11, 23): 0.75,
    (12, 24): 0.75,
    (11, 13): 0.45,
    (12, 14): 0.45,
    (13, 15): 0.4,
    (14, 16): 0.4,
    (7, 11): 0.4,
    (8, 12): 0.4,
}
_SHORT_REACH_M = 0.2
_NECK_AND_MOUTH = ((7, 11), (8, 12), (0, 9), (0, 10))


@dataclass(frozen=True, slots=True, eq=False)
class DepthImage:
    """Depths along the camera's axis, one for each pixel of the image: (H, W) uint16 or float32.

    Zero, negative and not finite values are unknown. Raises ImageError for another shape or type.
    """

    values: npt.NDArray[np.uint16] | Float32Array
    meters_per_unit: float

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


def _reach_m() -> Float64Array:
    """Return how far apart two landmarks can be, (25, 25): along the shortest way on the body."""
    count = len(UPPER_BODY)
    reach_m = np.where(np.eye(count, dtype=bool), 0, np.inf)
    for pair in (*UPPER_BODY.connections, *_NECK_AND_MOUTH):
        reach_m[pair] = reach_m[pair[::-1]] = _LONG_REACH_M.get(pair, _SHORT_REACH_M)
    for via in range(count):
        reach_m = np.minimum(reach_m, reach_m[:, via, None] + reach_m[via])
    return reach_m


_REACH_M = _reach_m()


def z_from_depth(
    pose: Pose, rays: Float64Array, depth: DepthImage, options: PositionOptions
) -> Float64Array | None:
    """Return the z (N,) of a person's landmarks from a depth image; None if it shows too little.

    With world landmarks all are known: measured where depth and model agree. Else only those are
    known that are visible, in the image, measured, and within reach of each other.
    """
    measured_m = sample_depth(depth, pose, (options.depth_min_m, options.depth_max_m))
    measured_m[~(pose.visibility >= MIN_VISIBILITY)] = np.nan
    if pose.world_landmarks_m is not None:
        return align_world_to_depth(measured_m, pose.world_landmarks_m[:, 2].astype(np.float64))
    return keep_reachable(measured_m, rays)


def sample_depth(depth: DepthImage, pose: Pose, limits_m: tuple[float, float]) -> Float64Array:
    """Return the measured z (N,) of a person's landmarks, in m; NaN where nothing is measured.

    It is the median of the nearest surface in a patch around the landmark. NaN outside of the
    image, and where too much of the patch is unknown or beyond the limits. Only the patches are
    converted to meters.
    """
    radius_px = int(np.clip(_PATCH_OF_ROI * pose.roi.size_px, _MIN_RADIUS_PX, _MAX_RADIUS_PX))
    patches_m = _patches(depth, pose.landmarks_px[:, :2].astype(np.float64), radius_px)
    low_m, high_m = limits_m
    with np.errstate(invalid="ignore"):
        is_valid = (patches_m > 0) & (patches_m >= low_m) & (patches_m <= high_m)
    return _near_median(np.where(is_valid, patches_m, np.nan))


def _patches(depth: DepthImage, points_px: Float64Array, radius_px: int) -> Float64Array:
    """Return the depths around points (n, 2) in m: (n, patch); NaN outside of the image."""
    width_px, height_px = depth.size
    size_px = np.array(depth.size)
    # A pixel reaches half a pixel around its center; what is not finite is not inside.
    is_inside = np.all((points_px >= -0.5) & (points_px < size_px - 0.5), axis=1)
    centers_px = np.rint(np.where(is_inside[:, None], points_px, 0)).astype(np.intp)
    side = np.arange(-radius_px, radius_px + 1)
    x = centers_px[:, 0, None, None] + side
    y = centers_px[:, 1, None, None] + side[:, None]
    is_pixel = (x >= 0) & (x < width_px) & (y >= 0) & (y < height_px) & is_inside[:, None, None]
    values = depth.values[y.clip(0, height_px - 1), x.clip(0, width_px - 1)]
    patches_m = np.where(is_pixel, values * np.float64(depth.meters_per_unit), np.nan)
    return patches_m.reshape(len(points_px), -1)


def _near_median(patches_m: Float64Array) -> Float64Array:
    """Return the median (n,) of the nearest surface in patches (n, patch); NaN is unknown."""
    ordered = np.sort(patches_m, axis=1)  # NaN comes last
    rows = np.arange(len(ordered))
    count = np.isfinite(ordered).sum(axis=1)
    near_m = ordered[rows, (_NEAR_PART * count).astype(np.intp)][:, None]
    first = (ordered < near_m - _SURFACE_M).sum(axis=1)
    last = (ordered <= near_m + _SURFACE_M).sum(axis=1) - 1
    median_m: Float64Array = ordered[rows, (first + last) // 2]
    median_m[count < _MIN_FILLED * ordered.shape[1]] = np.nan
    return median_m


def align_world_to_depth(measured_m: Float64Array, world_z_m: Float64Array) -> Float64Array | None:
    """Return z (N,) from measured z (N,) and that of the world landmarks; None if unknown.

    The body is where a hip, else a shoulder, was measured: at the one that most other landmarks
    agree with. The world landmarks are shifted there; a measured landmark counts if it agrees.
    """
    bodies_m = measured_m - world_z_m
    agreements = np.abs(bodies_m - bodies_m[list(_TORSO), None]) <= _AGREE_M
    if not agreements.any():
        return None
    body_m = np.median(bodies_m[agreements[agreements.sum(axis=1).argmax()]])
    limits_m = np.full(len(bodies_m), _AGREE_M)
    limits_m[list(_TORSO)] = _TORSO_AGREES_M
    return np.where(np.abs(bodies_m - body_m) <= limits_m, measured_m, body_m + world_z_m)


def keep_reachable(measured_m: Float64Array, rays: Float64Array) -> Float64Array | None:
    """Return measured z (25,) that fit each other on a body; None if too few do.

    A landmark that is farther from one with more support than limbs can reach is unknown.
    """
    points_m = rays * measured_m[:, None]
    distances_m = np.linalg.norm(points_m[:, None] - points_m, axis=2)
    fits: BoolArray = distances_m <= _REACH_M
    is_kept = np.zeros(len(fits), bool)
    for landmark in np.argsort(-fits.sum(axis=1), kind="stable"):
        is_kept[landmark] = fits[landmark, landmark] and fits[landmark, is_kept].all()
    if is_kept.sum() < _MIN_REACHABLE:
        return None
    return np.where(is_kept, measured_m, np.nan)
