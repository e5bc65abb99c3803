"""Start the pose node, and RViz if asked for.

Arguments that are left empty don't count: the parameter file says what holds then.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pose_ros.share import share_path

ARGUMENTS = {
    "namespace": ("", "namespace of the node"),
    "name": ("pose", "name of the node"),
    "image": ("image", "image topic; of compressed images without /compressed"),
    "camera_info": ("camera_info", "calibration topic of the camera"),
    "depth": ("depth", "depth image topic, registered to the image"),
    "model": ("", "landmark model; empty: as the parameter file says"),
    "params_file": (str(share_path("config") / "pose.yaml"), "parameter file (YAML)"),
    "image_transport": ("", "raw or compressed; empty: as the parameter file says"),
    "rviz": ("false", "true starts RViz as well"),
    "rviz_frame": ("camera", "fixed frame of RViz: the frame_id of the camera's images"),
    "use_sim_time": ("false", "true takes the time from /clock, as with a played bag"),
    "log_level": ("info", "debug, info, warn, error or fatal"),
}
INPUTS = ("image", "camera_info", "depth")
RVIZ_INPUTS = ("image", "camera_info")
RVIZ_OUTPUTS = ("annotated_image", "landmarks", "markers", "roi_markers")


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    use_sim_time = {"use_sim_time": _is_true(given["use_sim_time"])}
    nodes = [_pose(given, use_sim_time)]
    if _is_true(given["rviz"]):
        nodes.append(_rviz(given, use_sim_time))
    return nodes


def _pose(given: dict[str, str], use_sim_time: dict[str, bool]) -> Node:
    chosen = {name: given[name] for name in ("model", "image_transport") if given[name]}
    return Node(
        package="pose_ros",
        executable="pose_node",
        namespace=given["namespace"],
        name=given["name"],
        parameters=[given["params_file"], {**chosen, **use_sim_time}],
        remappings=[(topic, given[topic]) for topic in INPUTS],
        ros_arguments=["--log-level", given["log_level"]],
        output="screen",
    )


def _rviz(given: dict[str, str], use_sim_time: dict[str, bool]) -> Node:
    """Return RViz with the topics of its file remapped to those of the node."""
    inputs = [(f"/{topic}", given[topic]) for topic in RVIZ_INPUTS]
    outputs = [(f"/pose/{topic}", f"{given['name']}/{topic}") for topic in RVIZ_OUTPUTS]
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        arguments=["-d", str(share_path("config") / "pose.rviz"), "-f", given["rviz_frame"]],
        parameters=[use_sim_time],
        remappings=inputs + outputs,
    )


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")
