"""Play a video as a camera, find the person in it and show everything in RViz."""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
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

from pose_ros.share import fast_dds_environment, share_path

ARGUMENTS = {
    "video": (
        str(share_path("demo") / "person.mp4"),
        "video, folder of pictures, or camera number",
    ),
    "loop": ("true", "true starts again at the end; false ends everything there"),
    "rviz": ("true", "true starts RViz as well"),
}


def generate_launch_description() -> LaunchDescription:
    """Return settings, arguments, the camera, the node and RViz."""
    pose = PythonLaunchDescriptionSource(str(share_path("launch") / "pose.launch.py"))
    return LaunchDescription(
        [
            *(SetEnvironmentVariable(*pair) for pair in fast_dds_environment().items()),
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            IncludeLaunchDescription(
                pose, launch_arguments={"rviz": LaunchConfiguration("rviz")}.items()
            ),
            OpaqueFunction(function=_camera),
        ]
    )


def _camera(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    is_looping = given["loop"].lower() in ("true", "1")
    return [
        Node(
            package="pose_ros",
            executable="video_source",
            name="video_source",
            arguments=[given["video"], "--loop" if is_looping else "--no-loop"],
            on_exit=Shutdown(reason="the video source has ended"),
            output="screen",
        )
    ]
