"""The shipped configuration: parameters, RViz and Fast DDS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import running
import yaml
from geometry_msgs.msg import PoseStamped
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from running import Client
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from pose_ros.client import LANDMARK_DTYPE
from pose_ros.outputs.messages import OUTPUTS, TARGET_OUTPUTS
from pose_ros.outputs.topics import QOS
from pose_ros.parameters import parameter_specs

CONFIG = running.ROOT / "config"
RVIZ_FILE = yaml.safe_load((CONFIG / "pose.rviz").read_text())
RVIZ = RVIZ_FILE["Visualization Manager"]
VIEWS = [RVIZ["Views"]["Current"], *RVIZ["Views"]["Saved"]]
DISPLAYS: dict[str, dict[str, Any]] = {item["Name"]: item for item in RVIZ["Displays"]}

# Names of classes that rviz2 has. ref: rviz_default_plugins, plugins_description.xml (Jazzy);
# panels: rviz_common, panel_factory.cpp
RVIZ_CLASSES = {
    "Displays": "AccelStamped Axes Camera CameraInfo DepthCloud Effort FluidPressure Grid "
    "GridCells Illuminance Image InteractiveMarkers LaserScan Map Marker MarkerArray Odometry "
    "Path PointCloud PointCloud2 PointStamped Polygon Pose PoseArray PoseWithCovariance Range "
    "RelativeHumidity RobotModel TF Temperature TwistStamped Wrench",
    "Tools": "FocusCamera Interact Measure MoveCamera PublishPoint Select SetGoal SetInitialPose",
    "Views": "FPS Orbit ThirdPersonFollower TopDownOrtho XYOrbit",
    "Transformation": "TF",
    "Panels": "Displays Help Selection Time Transformation Views",
}
# The message type of each class of display that shows a topic.
RVIZ_TYPES = {
    "rviz_default_plugins/Camera": Image,
    "rviz_default_plugins/Image": Image,
    "rviz_default_plugins/MarkerArray": MarkerArray,
    "rviz_default_plugins/PointCloud2": PointCloud2,
    "rviz_default_plugins/Pose": PoseStamped,
}
SHOWN = [name for name, display in DISPLAYS.items() if "Topic" in display]


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


@pytest.mark.parametrize(
    ("kind", "package", "items"),
    [
        ("Displays", "rviz_default_plugins", RVIZ["Displays"]),
        ("Tools", "rviz_default_plugins", RVIZ["Tools"]),
        ("Views", "rviz_default_plugins", VIEWS),
        ("Transformation", "rviz_default_plugins", [RVIZ["Transformation"]["Current"]]),
        ("Panels", "rviz_common", RVIZ_FILE["Panels"]),
    ],
    ids=RVIZ_CLASSES,
)
def test_rviz_uses_classes_that_rviz2_has(kind: str, package: str, items: list[Any]) -> None:
    names = RVIZ_CLASSES[kind].split()
    assert items
    for item in items:
        assert item["Class"].partition("/")[::2] in {(package, name) for name in names}


def test_rviz_shows_pictures_skeleton_region_landmarks_target_and_tf() -> None:
    assert {display["Class"].partition("/")[2] for display in DISPLAYS.values()} == {
        *("Grid", "TF", "Image", "Camera", "MarkerArray", "PointCloud2", "Pose")
    }
    off = [name for name, item in DISPLAYS.items() if not (item["Enabled"] and item["Value"])]
    # the spheres of the skeleton have the colors of the sides: both at once would hide each other
    assert off == ["Landmarks by visibility"]
    assert {DISPLAYS[name]["Topic"]["Value"] for name in SHOWN} == {
        *("/image", "/pose/annotated_image", "/pose/landmarks"),
        *("/pose/markers", "/pose/roi_markers", "/pose/target"),
    }


def test_rviz_opens_with_a_large_3d_view() -> None:
    """Only the displays beside it; without both keys rviz2 reads uninitialized values."""
    assert [panel["Class"] for panel in RVIZ_FILE["Panels"]] == ["rviz_common/Displays"]
    geometry = RVIZ_FILE["Window Geometry"]
    assert geometry["Hide Left Dock"] is geometry["Hide Right Dock"] is False
    assert "QMainWindow State" not in geometry
    assert geometry["Width"] >= 1280


def test_rviz_has_its_grid_below_the_camera() -> None:
    grid = DISPLAYS["Grid"]
    assert (grid["Plane"], grid["Offset"]["Y"] > 1) == ("XZ", True)


@pytest.mark.parametrize("name", SHOWN)
def test_rviz_shows_topics_that_are_published_with_a_fitting_type_and_qos(name: str) -> None:
    display, topic = DISPLAYS[name], DISPLAYS[name]["Topic"]
    if topic["Value"] == "/image":  # the camera's, which may be best effort
        assert RVIZ_TYPES[display["Class"]] is Image
        assert topic["Reliability Policy"] == "Best Effort"
        return
    published = (*OUTPUTS, *TARGET_OUTPUTS)
    (output,) = (item for item in published if f"/pose/{item.name}" == topic["Value"])
    assert output.message_type is RVIZ_TYPES[display["Class"]]
    offered: QoSProfile = QOS[output.qos]
    if topic["Reliability Policy"] == "Reliable":
        assert offered.reliability == ReliabilityPolicy.RELIABLE
    if topic["Durability Policy"] == "Transient Local":
        assert offered.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_rviz_camera_overlays_displays_that_exist() -> None:
    visibility = DISPLAYS["Camera with markers"]["Visibility"]
    assert visibility.keys() - {"Value"} == DISPLAYS.keys() - {"Camera with markers"}
    shown = {name for name in visibility.keys() & DISPLAYS.keys() if visibility[name]}
    assert shown == {"Skeleton", "Region of interest"}


def eye_and_up(view: dict[str, Any]) -> tuple[Any, Any]:
    """Where Orbit looks from, from its focal point, and what it shows as up.

    ref: rviz_default_plugins, orbit_view_controller.cpp
    """
    yaw, pitch = view["Yaw"], view["Pitch"]
    across = np.array((np.cos(yaw), np.sin(yaw), 0))
    eye_m = view["Distance"] * (np.cos(pitch) * across + (0, 0, np.sin(pitch)))
    towards = -eye_m / np.linalg.norm(eye_m)
    z = np.array((0, 0, 1))
    return eye_m, z - (z @ towards) * towards


def test_rviz_looks_over_the_cameras_shoulder_at_people_who_stand() -> None:
    """In an optical frame: x right, y down, z forward."""
    current = VIEWS[0]
    focus_m = np.array([current["Focal Point"][axis] for axis in "XYZ"])
    eye_m, up = eye_and_up(current)
    x, y, z = focus_m + eye_m
    assert z < 0 < focus_m[2], "behind the camera, looking forward"
    assert y < 0, "above it"
    assert x == pytest.approx(0, abs=1e-3)
    assert up[1] < 0, "a person's head is up on the screen"
    assert 2 <= np.linalg.norm(eye_m) <= 6


def test_rviz_has_a_view_for_fixed_frames_with_z_up() -> None:
    """From behind along x, as REP 103 has it."""
    (saved,) = VIEWS[1:]
    eye_m, up = eye_and_up(saved)
    assert eye_m[0] < 0 < eye_m[2]
    assert up[2] > 0


def test_rviz_colours_landmarks_by_a_field_that_they_have() -> None:
    assert DISPLAYS["Landmarks by visibility"]["Channel Name"] in (LANDMARK_DTYPE.names or ())


def test_rviz_fixed_frame_is_that_of_the_video_source() -> None:
    from pose_ros.tools.video_source import _parser

    assert _parser().parse_args(["x"]).frame_id == RVIZ["Global Options"]["Fixed Frame"]


# Foxglove and Lichtblick


FOXGLOVE = json.loads((CONFIG / "pose.foxglove.json").read_text())
PANELS: dict[str, dict[str, Any]] = FOXGLOVE["configById"]


def leaves(layout: str | dict[str, Any]) -> Iterator[str]:
    """The panels of a layout from first to last."""
    if isinstance(layout, str):
        yield layout
    else:
        assert layout["direction"] in ("row", "column")
        yield from leaves(layout["first"])
        yield from leaves(layout["second"])


def test_foxglove_layout_has_each_panel_once() -> None:
    """Panel types. ref: lichtblick, packages/suite-base/src/panels/index.ts"""
    assert sorted(leaves(FOXGLOVE["layout"])) == sorted(PANELS)
    types = {name.partition("!")[0] for name in PANELS}
    assert types == {"3D", "Image", "DiagnosticSummary"}
    assert FOXGLOVE.keys() >= {"configById", "globalVariables", "userNodes", "playbackConfig"}


def test_foxglove_shows_topics_that_exist() -> None:
    outputs = (*OUTPUTS, *TARGET_OUTPUTS)
    published = {f"/pose/{output.name}": output.message_type for output in outputs}
    drawn = {topic for panel in PANELS.values() for topic in panel.get("topics", {})}
    assert drawn == {"/pose/markers", "/pose/roi_markers", "/pose/landmarks", "/pose/target"}
    for topic in drawn:
        assert published[topic] in (MarkerArray, PointCloud2, PoseStamped)
    assert PANELS["Image!camera"]["imageMode"] == {
        "imageTopic": "/image",
        "calibrationTopic": "/camera_info",
    }
    picture = PANELS["Image!annotated"]["imageMode"]["imageTopic"]
    assert published[picture] is CompressedImage
    assert PANELS["DiagnosticSummary!health"]["topicToRender"] == "/diagnostics"


def test_foxglove_looks_at_landmarks_as_rviz_does() -> None:
    scene = PANELS["3D!pose"]
    assert scene["followTf"] == RVIZ["Global Options"]["Fixed Frame"]
    landmarks, rviz = scene["topics"]["/pose/landmarks"], DISPLAYS["Landmarks by visibility"]
    assert landmarks["colorField"] == rviz["Channel Name"]
    assert [landmarks["minValue"], landmarks["maxValue"]] == [0, 1]
    # ref: lichtblick, CameraStateSettings.ts: phi is the angle from z, at 0 the azimuth is -y
    camera = scene["cameraState"]
    phi = np.radians(camera["phi"])
    assert camera["thetaOffset"] == 0
    eye_m = camera["distance"] * np.array((0, -np.sin(phi), np.cos(phi))) + camera["targetOffset"]
    assert eye_m[1] < 0, "above the camera"
    assert eye_m[2] < 0 < camera["targetOffset"][2], "behind it, looking forward"
    assert np.cos(phi) < 0, "a person's head (-y) is up on the screen"


def test_fast_dds_profile_holds_large_images() -> None:
    root = ElementTree.parse(CONFIG / "fastdds_shm.xml").getroot()
    namespace = {"dds": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    segment, message = (
        int(root.findtext(f".//dds:{name}", "0", namespace))
        for name in ("segment_size", "maxMessageSize")
    )
    assert message >= 1920 * 1080 * 3
    assert segment >= 4 * message


def test_fast_dds_profile_announces_a_process_while_others_start() -> None:
    root = ElementTree.parse(CONFIG / "fastdds_shm.xml").getroot()
    schema = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    (announcements,) = root.iter(f"{schema}initialAnnouncements")
    count = int(announcements.findtext(f"{schema}count", "0"))
    period_ns = int(announcements.findtext(f"{schema}period/{schema}nanosec", "0"))
    assert count * period_ns >= 3e9


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
