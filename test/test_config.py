"""The shipped configuration: parameters, RViz and Fast DDS."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import running
import yaml
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from running import Client
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from pose_ros.client import LANDMARK_DTYPE
from pose_ros.messages import OUTPUTS
from pose_ros.node import QOS
from pose_ros.parameters import NodeOptions, parameter_specs

CONFIG = running.ROOT / "config"
PARAMETERS = yaml.safe_load((CONFIG / "pose.yaml").read_text())["/**"]["ros__parameters"]
RVIZ = yaml.safe_load((CONFIG / "pose.rviz").read_text())["Visualization Manager"]
DISPLAYS: dict[str, dict[str, Any]] = {item["Name"]: item for item in RVIZ["Displays"]}

# Class and message type of each display. ref: rviz_default_plugins, plugins_description.xml
RVIZ_TYPES = {
    "rviz_default_plugins/Camera": Image,
    "rviz_default_plugins/Grid": None,
    "rviz_default_plugins/Image": Image,
    "rviz_default_plugins/MarkerArray": MarkerArray,
    "rviz_default_plugins/PointCloud2": PointCloud2,
    "rviz_default_plugins/TF": None,
}
RVIZ_TOOLS = {"Interact", "MoveCamera", "Select", "FocusCamera", "Measure"}
SHOWN = [name for name, display in DISPLAYS.items() if "Topic" in display]


def test_parameter_file_has_every_parameter_with_its_default() -> None:
    defaults = NodeOptions()
    assert PARAMETERS.keys() == parameter_specs().keys()
    for name, value in PARAMETERS.items():
        default = getattr(defaults, name)
        assert value == (list(default) if isinstance(default, tuple) else default), name
        assert isinstance(value, type(list(default) if isinstance(default, tuple) else default))


def test_parameter_file_explains_each_parameter_and_says_which_are_live() -> None:
    lines = (CONFIG / "pose.yaml").read_text().splitlines()
    specs = parameter_specs()
    for number, line in enumerate(lines):
        if match := re.fullmatch(r" {4}(\w+): .+", line):
            comment = lines[number - 1]
            assert comment.startswith("    # "), line
            assert comment.endswith("Live.") != specs[match[1]].fixed, line


def test_node_starts_with_the_parameter_file() -> None:
    with running.node_and_client("--params-file", str(CONFIG / "pose.yaml")) as client:
        assert client.get("providers") == ["CPUExecutionProvider"]
        assert client.state == "active"


def test_rviz_uses_classes_that_rviz2_has() -> None:
    assert {display["Class"] for display in DISPLAYS.values()} == RVIZ_TYPES.keys()
    names = {tool["Class"].partition("/") for tool in RVIZ["Tools"]}
    assert {name for _, _, name in names} <= RVIZ_TOOLS
    assert {package for package, _, _ in names} == {"rviz_default_plugins"}
    assert RVIZ["Views"]["Current"]["Class"] == "rviz_default_plugins/Orbit"


@pytest.mark.parametrize("name", SHOWN)
def test_rviz_shows_topics_that_are_published_with_a_fitting_type_and_qos(name: str) -> None:
    display, topic = DISPLAYS[name], DISPLAYS[name]["Topic"]
    if topic["Value"] == "/image":  # the camera's, which may be best effort
        assert RVIZ_TYPES[display["Class"]] is Image
        assert topic["Reliability Policy"] == "Best Effort"
        return
    (output,) = (item for item in OUTPUTS if f"/pose/{item.name}" == topic["Value"])
    assert output.message_type is RVIZ_TYPES[display["Class"]]
    offered: QoSProfile = QOS[output.qos]
    if topic["Reliability Policy"] == "Reliable":
        assert offered.reliability == ReliabilityPolicy.RELIABLE
    if topic["Durability Policy"] == "Transient Local":
        assert offered.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_rviz_camera_overlays_displays_that_exist() -> None:
    visibility = DISPLAYS["Camera with region of interest"]["Visibility"]
    assert visibility.keys() - {"Value"} <= DISPLAYS.keys()
    assert visibility["Region of interest"]


def test_rviz_colours_landmarks_by_a_field_that_they_have() -> None:
    assert DISPLAYS["Landmarks"]["Channel Name"] in (LANDMARK_DTYPE.names or ())


def test_rviz_fixed_frame_is_that_of_the_video_source() -> None:
    from pose_ros.tools.video_source import _parser

    assert _parser().parse_args(["x"]).frame_id == RVIZ["Global Options"]["Fixed Frame"]


def test_fast_dds_profile_holds_large_images() -> None:
    root = ElementTree.parse(CONFIG / "fastdds_shm.xml").getroot()
    namespace = {"dds": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    segment, message = (
        int(root.findtext(f".//dds:{name}", "0", namespace))
        for name in ("segment_size", "maxMessageSize")
    )
    assert message >= 1920 * 1080 * 3
    assert segment >= 4 * message


@pytest.mark.parametrize("name", ["shm", "wlan"])
def test_fast_dds_profiles_do_not_wait_for_a_slow_network(name: str) -> None:
    root = ElementTree.parse(CONFIG / f"fastdds_{name}.xml").getroot()
    schema = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    (network,) = (
        item
        for item in root.iter(f"{schema}transport_descriptor")
        if item.findtext(f"{schema}type") == "UDPv4"
    )
    assert network.findtext(f"{schema}non_blocking_send") == "true"
    fits_a_packet = int(network.findtext(f"{schema}maxMessageSize", "65500")) <= 1472
    assert fits_a_packet == (name == "wlan")


@pytest.mark.usefixtures("pose")
def test_fast_dds_profile_is_accepted(pose: Client) -> None:
    assert pose.process.lines("XMLPARSER") == []
