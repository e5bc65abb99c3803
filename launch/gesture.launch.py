"""Start the gesture node beside a pose node that runs already, or a bag that is played.

An argument that is left empty sets nothing, as in pose.launch.py.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

PARAMETERS = {
    "gravity_frame": "frame of TF whose z axis points up; without one the camera is level",
    "camera_frame": "the camera's optical frame, if the landmarks are in another one",
    "tf_prefix": "that of the pose node, for the names of bodies on ~/hri_gesture",
    "use_sim_time": "true takes the time from /clock, as with a played bag",
}
ARGUMENTS = {
    "namespace": ("", "namespace of the node"),
    "name": ("gesture", "name of the node"),
    "pose": ("pose", "name of the pose node, whose landmarks are used"),
    **{name: ("", f"{text}; empty: not set here") for name, text in PARAMETERS.items()},
}
TOPICS = ("landmarks", "landmark_names")


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the node."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    chosen = {name: given[name] for name in PARAMETERS if given[name]}
    node = Node(
        package="pose_ros",
        executable="gesture_node",
        namespace=given["namespace"],
        name=given["name"],
        parameters=[chosen] if chosen else [],
        remappings=[(topic, f"{given['pose']}/{topic}") for topic in TOPICS],
        output="screen",
    )
    return [node]
