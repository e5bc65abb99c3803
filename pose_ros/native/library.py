"""The compiled library, if there is one: plain C, called by ctypes.

Everything works without it, in numpy, which defines the results: those of C are the same bytes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import numpy.typing as npt

_INTERFACE = 2  # of native.h
_MAX_CROP = 1024

_POINTER, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int32, ctypes.c_ssize_t
_CROP_ARGUMENTS = (
    *(_POINTER, _SIZE, _SIZE, _INT, _INT, _POINTER, _INT, _INT),
    *(ctypes.c_double, ctypes.c_double, _POINTER),
)
_WINDOWS_ARGUMENTS = _POINTER, _INT, _INT, _POINTER, _INT, _INT, _POINTER
_ENGINE_ARGUMENTS = _INT, _POINTER, _POINTER, _POINTER
_REFINE_ARGUMENTS = _POINTER, _INT, _INT, _INT, _INT, ctypes.c_float, _POINTER


class NativeLibrary:
    """The functions of native.h. Any number of threads may use it at once.

    Raises OSError if the file is no library of this version.
    """

    def __init__(self, file: Path) -> None:
        library = ctypes.CDLL(str(file))
        try:
            interface, self._crop = library.pose_ros_interface, library.pose_ros_crop
            self._windows, self._refine = library.pose_ros_heatmap_windows, library.pose_ros_refine
            self.engine_lanes, self.engine_run = (
                library.pose_ros_engine_lanes,
                library.pose_ros_engine_run,
            )
        except AttributeError as error:
            raise OSError(f"{file} lacks a function: {error}") from error
        if interface() != _INTERFACE:
            raise OSError(f"{file} has interface {interface()}; allowed is {_INTERFACE}")
        self._crop.argtypes, self._crop.restype = _CROP_ARGUMENTS, None
        self._windows.argtypes, self._windows.restype = _WINDOWS_ARGUMENTS, None
        self._refine.argtypes, self._refine.restype = _REFINE_ARGUMENTS, None
        self.engine_lanes.argtypes, self.engine_lanes.restype = (_INT,), _INT
        self.engine_run.argtypes, self.engine_run.restype = _ENGINE_ARGUMENTS, None

    def crop(
        self,
        image: npt.NDArray[np.uint8],
        image_from_crop: npt.NDArray[np.float64],
        is_black_outside: bool,
        values: tuple[float, float],
        tensor: npt.NDArray[np.float32],
    ) -> None:
        """Sample an RGB image (H, W, 3) into a tensor (1, 3, S, S), S at most 1024.

        `image_from_crop` (3, 3) is projective. An 8-bit level becomes level * scale + offset,
        `values`. Outside, the image is black, or its border is repeated.
        """
        size = tensor.shape[-1]
        if tensor.shape != (1, 3, size, size) or size > _MAX_CROP or image.shape[2] != 3:
            raise ValueError(f"shapes {tensor.shape} and {image.shape} do not fit")
        if image.strides[2] != 1:
            image = np.ascontiguousarray(image)
        rows, columns, _ = image.strides
        height, width, _ = image.shape
        map_ = np.ascontiguousarray(image_from_crop, np.float64)
        source, target = image.ctypes.data, tensor.ctypes.data
        self._crop(
            *(source, rows, columns, width, height, map_.ctypes.data),
            *(size, is_black_outside, *values, target),
        )

    def refine(
        self,
        landmarks_px: npt.NDArray[np.float32],
        heatmap: npt.NDArray[np.float32],
        kernel: int,
        input_size: int,
        sigmoid: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
        min_confidence: float,
    ) -> npt.NDArray[np.float32]:
        """Return landmarks (K, 3) whose x and y are the center of mass of the heatmap around them.

        `heatmap` (K, S, S) are logits, of which `sigmoid` makes confidences. A landmark stays
        that lies outside of the map, or whose confidences are all below the minimum.
        """
        count, side, _ = heatmap.shape
        if heatmap.shape != (count, side, side) or landmarks_px.shape != (count, 3):
            raise ValueError(f"shapes {landmarks_px.shape} and {heatmap.shape} do not fit")
        refined = np.array(landmarks_px, np.float32, order="C")
        heatmap = np.ascontiguousarray(heatmap, np.float32)
        windows = np.empty((count, kernel**2), np.float32)
        points, cells = refined.ctypes.data, windows.ctypes.data
        self._windows(heatmap.ctypes.data, count, side, points, input_size, kernel, cells)
        confidences = np.ascontiguousarray(sigmoid(windows), np.float32)
        cells = confidences.ctypes.data
        self._refine(cells, count, side, input_size, kernel, min_confidence, points)
        return refined


def native_library() -> NativeLibrary | None:
    """Return the library that was built with the package; None if there is none that fits."""
    return load_library(Path(__file__).parent)[0]


def native_state() -> str:
    """Return whether the library is in use, and why not."""
    return load_library(Path(__file__).parent)[1]


@cache
def load_library(folder: Path) -> tuple[NativeLibrary | None, str]:
    """Return the library of a folder, if one is there that fits, and a text about that."""
    for suffix in EXTENSION_SUFFIXES:
        file = folder / f"_pose_ros{suffix}"
        if file.is_file():
            try:
                return NativeLibrary(file), "in use"
            except OSError as error:
                return None, f"not in use, build the package again: {error}"
    return None, "not built, slower numpy code is in use"
