"""Start a pose node for each of several cameras, in the camera's namespace.

The cameras `front,rear` with the image topics `/front/image_raw` and `/rear/image_raw` give
`/front/pose/landmarks` and `/rear/pose/landmarks`. Every argument takes one value for all
cameras, or one for each, separated by commas; `{camera}` in a value is the camera's namespace.
"""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from pose_ros.runtime.package_paths import share_path

SHARED = {
    "name": ("pose", "name of each node"),
    "image": ("image_raw", "image topic in the namespace of each camera"),
    "camera_info": ("camera_info", "calibration topic in the namespace of each camera"),
    "depth": ("depth", "depth image topic in the namespace of each camera"),
    "detections": ("detections", "topic of another detector in the namespace of each camera"),
    "params_file": ("", "parameter file (YAML); it may have a section such as /front/pose"),
    "model": ("", "landmark model; empty: not set here"),
    "max_persons": ("", "most people that are tracked at once; empty: not set here"),
    "person_detector": ("", "blazepose, movenet or topic; empty: not set here"),
    "image_transport": ("", "raw or compressed; empty: not set here"),
    "qos_reliability": ("", "reliability requested from the camera; empty: not set here"),
    "position_source": ("", "auto, depth, world or none; empty: not set here"),
    "person_height_m": ("", "height of the people, if it is known; empty: not set here"),
    "camera_height_m": ("", "height of level cameras above the floor; empty: not set here"),
    "publish_tf": ("", "true publishes a TF frame for each person; empty: not set here"),
    "tf_prefix": ("", "prefix of these frames; empty: CAMERA/, unless a file sets another"),
    "target_frame": ("", "frame of the landmarks and markers; empty: not set here"),
    "floor_frame": ("", "frame whose plane z = 0 is the floor; empty: not set here"),
    "autostart": ("", "false leaves the transitions to a lifecycle manager; empty: not set here"),
    "respawn": ("false", "true starts a node again two seconds after it has ended"),
    "use_sim_time": ("", "true takes the time from /clock; empty: not set here"),
    "log_level": ("info", "level of the nodes' own lines: debug, info, warn, error or fatal"),
}
ARGUMENTS = {
    "cameras": ("front,rear", "namespaces of the cameras, separated by commas"),
    **SHARED,
}


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_cameras)])


def _cameras(context: LaunchContext) -> list[GroupAction]:
    cameras = _values(LaunchConfiguration("cameras").perform(context))
    if not all(cameras) or len(set(cameras)) < len(cameras):
        raise RuntimeError(f"cameras is {cameras}; allowed are different names, one per camera")
    columns = {
        name: _per_camera(name, LaunchConfiguration(name).perform(context), cameras)
        for name in SHARED
    }
    return [
        _camera(camera, {name: columns[name][index] for name in SHARED})
        for index, camera in enumerate(cameras)
    ]


def _per_camera(name: str, text: str, cameras: list[str]) -> list[str]:
    """Return an argument's value for each camera."""
    values = _values(text)
    if len(values) == 1:
        values *= len(cameras)
    if len(values) != len(cameras):
        raise RuntimeError(
            f"{name} is {text!r}; allowed is one value, or one for each of the "
            f"{len(cameras)} cameras"
        )
    return [
        value.replace("{camera}", camera) for value, camera in zip(values, cameras, strict=True)
    ]


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(",")]


def _camera(camera: str, given: dict[str, str]) -> GroupAction:
    """Return the launch file of one node; in a group, so that its arguments end with it."""
    pose = PythonLaunchDescriptionSource(str(share_path("launch") / "pose.launch.py"))
    own = {"namespace": camera, "default_tf_prefix": f"{camera}/"}
    arguments = {"rviz": "false", **own, **given}
    return GroupAction([IncludeLaunchDescription(pose, launch_arguments=arguments.items())])
