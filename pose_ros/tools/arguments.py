"""Command line arguments that tools share; their types check the range and name the value."""

from __future__ import annotations

import argparse
from typing import Any

from pose_ros.blazepose.option_fields import option_specs
from pose_ros.blazepose.options import PoseTrackerOptions

_DETECTORS = option_specs(PoseTrackerOptions)["person_detector"]
PERSON_DETECTOR: dict[str, Any] = {
    "choices": tuple(name for name in _DETECTORS.choices or () if name != "topic"),
    "default": PoseTrackerOptions().person_detector,
    "help": "What finds people; movenet finds more of several. default: %(default)s",
}
"""Settings of `--person-detector`. Boxes from another detector come to the node only."""


def positive_count(text: str) -> int:
    """Return a whole number from 1 on."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def people_count(text: str) -> int:
    """Return a number of people that can be tracked at once."""
    most = option_specs(PoseTrackerOptions)["max_persons"].maximum or 1
    if not (text.isdecimal() and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to {most}")
    return int(text)


def positive_number(text: str) -> float:
    """Return a number above 0 and up to 10000."""
    value = _number(text)
    if not 0 < value <= 1e4:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number up to 10000")
    return value


def angle_deg(text: str) -> float:
    """Return an angle between 0 and 180 degrees, both excluded."""
    value = _number(text)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError(f"{text} is not an angle between 0 and 180 degrees")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
