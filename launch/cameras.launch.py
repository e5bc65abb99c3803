"""Start a pose node for each of several cameras, in the camera's namespace.

The cameras `front,rear` with the image topics `/front/image_raw` and `/rear/image_raw` give
`/front/pose/landmarks` and `/rear/pose/landmarks`.
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

from pose_ros.share import share_path

SHARED = {
    "image": ("image_raw", "image topic in the namespace of each camera"),
    "camera_info": ("camera_info", "calibration topic in the namespace of each camera"),
    "depth": ("depth", "depth image topic in the namespace of each camera"),
    "model": ("", "landmark model; empty: as the parameter file says"),
    "params_file": (str(share_path("config") / "pose.yaml"), "parameter file of all nodes (YAML)"),
    "image_transport": ("", "raw or compressed; empty: as the parameter file says"),
    "use_sim_time": ("false", "true takes the time from /clock, as with a played bag"),
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
    cameras = LaunchConfiguration("cameras").perform(context).split(",")
    return [_camera(camera.strip()) for camera in cameras if camera.strip()]


def _camera(namespace: str) -> GroupAction:
    """Return the launch file of one node; in a group, so that its arguments end with it."""
    pose = PythonLaunchDescriptionSource(str(share_path("launch") / "pose.launch.py"))
    shared = {name: LaunchConfiguration(name) for name in SHARED}
    given = {"namespace": namespace, **shared}
    return GroupAction([IncludeLaunchDescription(pose, launch_arguments=given.items())])
