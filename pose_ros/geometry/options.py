"""Options of the positions in front of the camera."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.option_fields import Options, option

_MIN_HEIGHT_M = 0.4


@dataclass(frozen=True)
class PositionOptions(Options):
    """Options of PositionEstimator. Raises OptionError for a value that is not allowed."""

    position_source: str = option(
        "auto",
        "Where positions in front of the camera come from: depth images, the model's world "
        "landmarks, depth and else world (auto), or nowhere (none).",
        choices=("auto", "depth", "world", "none"),
    )
    person_height_m: float = option(
        0.0,
        "Height of the people, if it is known: distances from world landmarks are then those of "
        "people so tall. 0 means unknown: they are taken for adults of 1.70 m until depth or the "
        "floor shows more. Not for upper_body.",
        minimum=0.0,
        maximum=2.5,
    )
    camera_height_m: float = option(
        0.0,
        "Height of a level camera above the floor, if it is known: where the feet stand shows how "
        "far away people are. 0 means unknown.",
        minimum=0.0,
        maximum=20.0,
    )
    depth_min_m: float = option(
        0.1,
        "Nearer depth values are not used.",
        minimum=0.0,
        maximum=100.0,
    )
    depth_max_m: float = option(
        10.0,
        "Farther depth values are not used.",
        minimum=0.0,
        maximum=100.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.person_height_m < _MIN_HEIGHT_M:
            raise OptionError(
                f"person_height_m is {self.person_height_m}; allowed are 0 (unknown) and "
                f"{_MIN_HEIGHT_M} to 2.5"
            )
        if self.depth_min_m >= self.depth_max_m:
            raise OptionError(
                f"depth_min_m is {self.depth_min_m}; allowed is a number below depth_max_m, "
                f"which is {self.depth_max_m}"
            )
