"""Play a video as a camera, find the person in it and show everything in RViz."""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pose_ros.runtime.package_paths import fast_dds_environment, share_path

ARGUMENTS = {
    "video": (
        str(share_path("demo") / "walker.mp4"),
        "video, folder of images, or camera number",
    ),
    "model": ("full", "landmark model"),
    "max_persons": ("1", "most people that are tracked at once, 1 to 16"),
    "loop": ("true", "true starts again at the end; false ends everything there"),
    "rviz": ("true", "true starts RViz as well"),
}
BOOLEANS = ("true", "false", "True", "False", "1", "0")
# The video source publishes on these: other values would keep its images from the node.
FIXED = {
    "namespace": "",
    "name": "pose",
    "image": "image",
    "camera_info": "camera_info",
    "image_transport": "raw",
    "rviz_frame": "camera",
    "use_sim_time": "false",
    "autostart": "true",
    "params_file": "",
}


def generate_launch_description() -> LaunchDescription:
    """Return settings, arguments, the camera, the node and RViz."""
    return LaunchDescription(
        [
            *(SetEnvironmentVariable(*pair) for pair in fast_dds_environment().items()),
            *(
                DeclareLaunchArgument(
                    name,
                    default_value=default,
                    description=description,
                    choices=BOOLEANS if name in ("loop", "rviz") else None,
                )
                for name, (default, description) in ARGUMENTS.items()
            ),
            OpaqueFunction(function=_everything),
        ]
    )


def _everything(context: LaunchContext) -> list[GroupAction | Node]:
    """Return the node, RViz and the camera; their own arguments are not those of this file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    pose = PythonLaunchDescriptionSource(str(share_path("launch") / "pose.launch.py"))
    arguments = FIXED | {name: given[name] for name in ("model", "max_persons", "rviz")}
    included = IncludeLaunchDescription(pose, launch_arguments=arguments.items())
    return [GroupAction([included]), _camera(given["video"], given["loop"])]


def _camera(video: str, loop: str) -> Node:
    return Node(
        package="pose_ros",
        executable="video_source",
        name="video_source",
        arguments=[video, "--loop" if loop.lower() in ("true", "1") else "--no-loop"],
        on_exit=Shutdown(reason="the video source has ended"),
        output="screen",
    )
