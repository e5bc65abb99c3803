"""Camera calibration messages: assumed from a field of view, or read from a YAML file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml
from sensor_msgs.msg import CameraInfo

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import OptionError
from pose_ros.geometry.camera import Camera


def camera_info_from_fov(width_px: int, height_px: int, hfov_deg: float) -> CameraInfo:
    """Return a calibration with square pixels, a centred axis and no distortion.

    `hfov_deg` is the horizontal field of view, above 0 and below 180.
    """
    camera = Camera.from_hfov(ImageSize(width_px, height_px), math.radians(hfov_deg))
    x_row, y_row = [camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy]
    return CameraInfo(
        width=width_px,
        height=height_px,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[*x_row, *y_row, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[*x_row, 0.0, *y_row, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def camera_info_from_yaml(path: Path) -> CameraInfo:
    """Read a file as `camera_calibration` writes it. Raises OptionError for another content.

    ref: camera_calibration_parsers, parse_yml.cpp.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return CameraInfo(
            width=int(content["image_width"]),
            height=int(content["image_height"]),
            distortion_model=str(content["distortion_model"]),
            d=_numbers(content, "distortion_coefficients", None),
            k=_numbers(content, "camera_matrix", 9),
            r=_numbers(content, "rectification_matrix", 9),
            p=_numbers(content, "projection_matrix", 12),
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise OptionError(f"{path} is not a camera calibration: {reason}") from error
    except KeyError as error:
        raise OptionError(f"{path} is not a camera calibration: it has no {error}") from error


def _numbers(content: dict[str, Any], name: str, length: int | None) -> list[float]:
    numbers = [float(number) for number in content[name]["data"]]
    if length not in (None, len(numbers)):
        raise ValueError(f"{name} has {len(numbers)} numbers instead of {length}")
    return numbers
