"""What is seen in one place of an image."""

from __future__ import annotations

from typing import NamedTuple

from pose_ros.blazepose.association import Skeleton
from pose_ros.blazepose.datatypes import Detection, Float64Array
from pose_ros.blazepose.track import Observation


class Sighting(NamedTuple):
    """What is seen in one place of an image, and what it is recognized by."""

    observation: Observation
    skeleton: Skeleton
    colors: Float64Array
    detection: Detection | None = None
