"""Start the pose node, and RViz if asked for.

An argument that is left empty sets nothing: the parameter file, a SetParameter action around the
include, or the node's own default decides.
"""

from __future__ import annotations

from ament_index_python.packages import get_package_prefix
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pose_ros.runtime.package_paths import share_path

BOOLEANS = ("true", "false", "True", "False", "1", "0")
PARAMETERS = {
    "model": "landmark model: upper_body, lite, full or heavy",
    "max_persons": "most people that are tracked at once, 1 to 16",
    "person_detector": "what finds people: blazepose, movenet, or topic for boxes on detections",
    "image_transport": "raw or compressed",
    "qos_reliability": "reliability requested from the camera",
    "position_source": "auto, depth, world or none",
    "person_height_m": "height of the people, if it is known",
    "camera_height_m": "height of a level camera above the floor, if it is known",
    "publish_tf": "true publishes a TF frame for each person",
    "tf_prefix": "prefix of these frames, such as front/",
    "target_frame": "frame of the landmarks and markers, reached by TF",
    "floor_frame": "frame whose plane z = 0 is the floor that people stand on, reached by TF",
    "autostart": "false leaves the transitions to a lifecycle manager",
    "use_sim_time": "true takes the time from /clock, as with a played bag",
}
ARGUMENTS = {
    "namespace": ("", "namespace of the node"),
    "name": ("pose", "name of the node"),
    "image": ("image", "image topic; of compressed images without /compressed"),
    "camera_info": ("camera_info", "calibration topic of the camera"),
    "depth": ("depth", "depth image topic, registered to the image"),
    "detections": ("detections", "topic of another detector, with person_detector:=topic"),
    "params_file": ("", "parameter file (YAML); empty: the defaults of the node"),
    **{name: ("", f"{text}; empty: not set here") for name, text in PARAMETERS.items()},
    "respawn": ("false", "true starts the node again two seconds after it has ended"),
    "rviz": ("false", "true starts RViz as well"),
    "rviz_frame": ("camera", "fixed frame of RViz: the frame_id of the camera's images"),
    "log_level": ("info", "level of the node's own lines: debug, info, warn, error or fatal"),
    "default_tf_prefix": ("", "tf_prefix where no argument, file or SetParameter gives one"),
}
CHOICES = {
    **dict.fromkeys(("respawn", "rviz"), BOOLEANS),
    **dict.fromkeys(("publish_tf", "autostart", "use_sim_time"), ("", *BOOLEANS)),
}
INPUTS = ("image", "camera_info", "depth", "detections")
RVIZ_INPUTS = ("image", "camera_info")
RVIZ_OUTPUTS = ("annotated_image", "landmarks", "markers", "roi_markers", "target")
RESPAWN_DELAY_S = 2.0


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=CHOICES.get(name)
        )
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    nodes = [_pose(given)]
    if _is_true(given["rviz"]):
        _check_rviz()
        nodes.append(_rviz(given))
    return nodes


def _pose(given: dict[str, str]) -> Node:
    chosen = {name: given[name] for name in PARAMETERS if given[name]}
    logger = ".".join(part for part in (*given["namespace"].split("/"), given["name"]) if part)
    return Node(
        package="pose_ros",
        executable="pose_node",
        namespace=given["namespace"],
        name=given["name"],
        parameters=[source for source in (given["params_file"], chosen) if source],
        remappings=[(topic, given[topic]) for topic in INPUTS],
        ros_arguments=["--log-level", f"{logger}:={given['log_level']}", *_defaults(given)],
        respawn=_is_true(given["respawn"]),
        respawn_delay=RESPAWN_DELAY_S,
        output="screen",
    )


def _defaults(given: dict[str, str]) -> list[str]:
    """Return arguments that come first: SetParameter, file and `parameters` override them."""
    prefix = given["default_tf_prefix"]
    return ["-p", f"tf_prefix:={prefix}"] if prefix else []


def _rviz(given: dict[str, str]) -> Node:
    """Return RViz with the topics of its file remapped to those of the node."""
    inputs = [(f"/{topic}", given[topic]) for topic in RVIZ_INPUTS]
    outputs = [(f"/pose/{topic}", f"{given['name']}/{topic}") for topic in RVIZ_OUTPUTS]
    chosen = {name: given[name] for name in ("use_sim_time",) if given[name]}
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        arguments=["-d", str(share_path("config") / "pose.rviz"), "-f", given["rviz_frame"]],
        parameters=[chosen] if chosen else [],
        remappings=inputs + outputs,
    )


def _check_rviz() -> None:
    """Raise before anything is started: launch would leave a node behind that runs already."""
    try:
        get_package_prefix("rviz2")
    except (LookupError, OSError) as error:  # not in the index, or no index at all
        raise RuntimeError(
            "rviz is true, but the package rviz2 is not installed; "
            "install it (apt install ros-$ROS_DISTRO-rviz2), or launch with rviz:=false"
        ) from error


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")
