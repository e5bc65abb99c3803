"""Options of the inputs: camera, calibration, depth and detections."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.option_fields import Options, option


@dataclass(frozen=True)
class InputOptions(Options):
    """Options of the inputs. Raises OptionError for a value that is not allowed."""

    image_transport: str = option(
        "raw",
        "Form of the input: image (raw), or image/compressed (JPEG or PNG).",
        choices=("raw", "compressed"),
        fixed=True,
    )
    qos_reliability: str = option(
        "auto",
        "Reliability requested from the input publishers; best_effort fits every publisher, and "
        "auto is reliable where all publishers are.",
        choices=("auto", "best_effort", "reliable", "system_default"),
        fixed=True,
    )
    qos_depth: int = option(
        1,
        "Input messages that the middleware may queue; the newest one is always used.",
        minimum=1,
        maximum=100,
        fixed=True,
    )
    image_is_rectified: bool = option(
        False,
        "The image has no lens distortion: the matrix P of camera_info holds, not K and D.",
    )
    assumed_hfov_deg: float = option(
        60.0,
        "Horizontal field of view assumed for markers while there is no calibration.",
        minimum=1.0,
        maximum=179.0,
    )
    no_image_timeout_s: float = option(
        5.0,
        "Warn once when subscribed and no image came for this long, or no camera_info where "
        "positions need it; 0 never warns.",
        minimum=0.0,
        maximum=3600.0,
    )
    depth_slop_s: float = option(
        0.05,
        "Largest difference of the stamps of image and depth image, and longest wait for it.",
        minimum=0.0,
        maximum=1.0,
    )
    depth_queue_size: int = option(
        10,
        "Depth images that are kept to find the one that belongs to an image.",
        minimum=1,
        maximum=100,
        fixed=True,
    )
    detection_class: str = option(
        "person",
        "With person_detector topic: class_id of the detections that are people, a name or a "
        "number as text; empty means all of them.",
    )
    detections_slop_s: float = option(
        0.1,
        "With person_detector topic: largest difference of the stamps of image and detections.",
        minimum=0.0,
        maximum=1.0,
    )
