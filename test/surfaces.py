"""Depth images rendered from surfaces of known shape: the truth for camera-frame positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Surface = Callable[[Array], Array]
"""Depth z (n,) in m of a surface along rays (n, 3) with z = 1; NaN where there is none."""

PLANE_NORMAL, PLANE_M = np.array((0.25, -0.15, 1.0)), 2.2
SPHERE_CENTER_M, SPHERE_RADIUS_M = np.array((0.1, 0.0, 4.0)), 2.0


def plane(rays: Array) -> Array:
    """A wall that is tilted to the side and backwards, 2.2 m away in the middle."""
    return np.asarray(PLANE_M / (rays @ PLANE_NORMAL))


def sphere(rays: Array) -> Array:
    """The near side of a ball of 2 m radius; NaN beside it."""
    a = (rays**2).sum(axis=1)
    b = rays @ SPHERE_CENTER_M
    c = SPHERE_CENTER_M @ SPHERE_CENTER_M - SPHERE_RADIUS_M**2
    with np.errstate(invalid="ignore"):
        z: Array = (b - np.sqrt(b**2 - a * c)) / a
    return z


SURFACES: dict[str, Surface] = {"plane": plane, "sphere": sphere}


def holes(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Where nothing is measured: vertical bars, and blotches at random."""
    columns = np.arange(width) % 160 < 24
    random = np.random.default_rng(3)
    blotches = random.random((height // 8 + 1, width // 8 + 1)) < 0.1
    spread = blotches.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return np.asarray(spread | columns)


def depth_image_m(surface: Surface, k: npt.ArrayLike, height: int, width: int) -> Array:
    """Render depth (H, W) in m through a pinhole with matrix (9,); NaN in the holes."""
    fx, _, cx, _, fy, cy, *_ = np.asarray(k, np.float64).ravel()
    v, u = np.mgrid[:height, :width].astype(np.float64)
    rays = np.stack(((u - cx) / fx, (v - cy) / fy, np.ones_like(u)), axis=-1).reshape(-1, 3)
    depth_m = surface(rays).reshape(height, width)
    depth_m[holes(height, width)] = np.nan
    return depth_m
