"""Options of the gesture node."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.option_fields import Options, option


@dataclass(frozen=True)
class GestureOptions(Options):
    """Options of the gesture node. Raises OptionError for a value that is not allowed."""

    gravity_frame: str = option(
        "",
        "Frame of TF whose z axis points up, such as base_link or odom: postures are judged by "
        "it. Empty means that the camera is level.",
        fixed=True,
    )
    camera_frame: str = option(
        "",
        "With gravity_frame: the camera's optical frame, where that of the landmarks is another "
        "one, as with target_frame. Empty means that of the landmarks.",
        fixed=True,
    )
    tf_prefix: str = option(
        "",
        "The tf_prefix of the pose node, so that ~/hri_gesture names bodies as publish_hri does.",
        fixed=True,
    )
