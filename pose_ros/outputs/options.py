"""Options of the outputs: markers, images and TF."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.option_fields import Options, option
from pose_ros.body.target import FOLLOW


@dataclass(frozen=True)
class OutputOptions(Options):
    """Options of the outputs. Raises OptionError for a value that is not allowed."""

    min_visibility: float = option(
        0.5,
        "Landmarks with less visibility are not drawn, and have no frames on TF; joints that need "
        "them are not published. The published landmarks are all there.",
        minimum=0.0,
        maximum=1.0,
    )
    marker_distance_m: float = option(
        1.0,
        "Distance from the camera at which a skeleton of unknown position is drawn.",
        minimum=0.01,
        maximum=100.0,
    )
    publish_held: bool = option(
        False,
        "Publish people who are held as well: who was seen shortly before and is looked for, with "
        "the last pose. Positions are known for the first 0.3 s only.",
    )
    mask_labels: bool = option(
        False,
        "The mask labels each person: a pixel's value is the person_id, counted from 1 to 255 and "
        "then again. If false, it is 255 for everybody.",
    )
    publish_tf: bool = option(
        False,
        "Send a frame person_<id> to TF for each person whose position is known.",
    )
    tf_landmarks: bool = option(
        False,
        "With publish_tf: a frame for each landmark that is known and visible as well.",
    )
    tf_bones: bool = option(
        False,
        "With publish_tf: a frame for each bone whose landmarks are known and visible as well, x "
        "along it.",
    )
    tf_prefix: str = option(
        "",
        "Prefix of these frames, such as front/: give each of several cameras its own.",
    )
    target_frame: str = option(
        "",
        "Frame that ~/landmarks, ~/people, ~/target and the markers are moved to by TF; empty "
        "means the image's own.",
    )
    floor_frame: str = option(
        "",
        "Frame whose plane z = 0 is the floor that people stand on, reached by TF: where the feet "
        "stand then shows how far away they are. Empty means none; camera_height_m may do.",
    )
    follow: str = option(
        "none",
        "Who of the tracked people becomes the target: nobody (none), the nearest one, the one "
        "next to the center of the image (center), the largest one, or who waves (gesture). The "
        "target stays the same until lost for hold_time_s; with gesture, until they raise both "
        "arms, too.",
        choices=FOLLOW,
    )
    target_tf_frame: str = option(
        "target_person",
        "With publish_tf and follow: the target's frame on TF, after tf_prefix; empty means none.",
    )
    publish_hri: bool = option(
        False,
        "Publish people below /humans/bodies as REP 155 (ROS4HRI) says, and as frames body_<id> "
        "on TF. Needs the packages hri_msgs and tf2_ros.",
    )
