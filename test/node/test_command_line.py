"""The node's command line: help, arguments that nobody takes, and its own debug lines."""

from __future__ import annotations

import functools
import signal
from pathlib import Path

import pytest
import running
from diagnostic_msgs.msg import DiagnosticStatus

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.native.library import native_state
from pose_ros.parameters import parameter_specs


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_parameter_and_starts_no_node(flag: str) -> None:
    with running.process("-m", "pose_ros.node", flag) as node:
        assert node.wait() == 0
        assert [name for name in parameter_specs() if f"\n  {name} = " not in node.output] == []
        assert "waiting" not in node.output


@pytest.mark.parametrize("argument", ["--model=lite", "lite"])
def test_argument_that_is_not_for_ros_is_reported(argument: str) -> None:
    with running.process("-m", "pose_ros.node", argument, "--ros-args") as node:
        assert node.wait() == 2
        assert argument in node.output.splitlines()[-1]


@pytest.mark.parametrize(
    "module", ["pose_ros.node", "pose_ros.tools.echo_landmarks", "pose_ros.tools.video_source"]
)
@pytest.mark.parametrize("arguments", [["--unknown"], ["-p"]])
def test_bad_ros_argument_is_one_line_and_exit_code_1(module: str, arguments: list[str]) -> None:
    with running.process("-m", module, "--ros-args", *arguments) as process:
        assert process.wait() == 1
        (line,) = process.output.splitlines()
    assert arguments[0] in line


def test_debug_level_shows_a_line_of_each_processed_image() -> None:
    with running.node_and_client("--log-level", "pose:=debug") as client:
        client.listen("landmarks")
        message = running.image(running.person()[0])
        client.landmarks(message)
        stamp = message.header.stamp
        line = client.process.wait_for_line(f"{stamp.sec}{stamp.nanosec:09}")
        assert "[DEBUG]" in line
        assert "1 persons" in line


def test_the_start_and_diagnostics_say_whether_compiled_code_is_in_use() -> None:
    state = native_state()
    with running.node_and_client() as client:
        assert state in client.process.wait_for_line("native library")
        status = client.status(lambda status: bool(status.values), "values")
        values = {pair.key: pair.value for pair in status.values}
        assert values["native library"] == state


def test_the_start_and_diagnostics_say_what_runs_the_landmark_model() -> None:
    """Also after it was changed, with the first image then."""
    found = PoseTracker(PoseTrackerOptions()).network.runtime
    with running.node_and_client() as client:
        assert found in client.process.wait_for_line("inference: ")
        client.status(functools.partial(runs, found), found)
        client.listen("landmarks")
        assert client.set(inference="onnxruntime").successful
        client.landmarks(running.image(running.person()[0]))
        client.status(functools.partial(runs, "onnxruntime"), "onnxruntime")
        client.process.wait_for_line("model upper_body; inference: onnxruntime")


def test_each_change_of_what_runs_the_landmark_model_is_one_line() -> None:
    with running.node_and_client(*running.parameters(inference="onnxruntime")) as client:
        client.listen("landmarks")
        for model in ("lite", "upper_body", "upper_body"):
            assert client.set(model=model, smooth_landmarks=model == "lite").successful
            client.landmarks(running.image(running.person()[0]))
        lines = [line.partition("]: ")[2] for line in client.process.lines("inference: ")]
        models = ("upper_body", "lite", "upper_body")
        assert lines == [f"model {model}; inference: onnxruntime" for model in models]


def runs(runtime: str, status: DiagnosticStatus) -> bool:
    return {pair.key: pair.value for pair in status.values}.get("inference") == runtime


# Parameters of the command line or a file


def start_lines(*arguments: str) -> list[str]:
    """What the node prints until it has started, without an argument but these."""
    with running.process("-m", "pose_ros.node", "--ros-args", *arguments) as node:
        node.wait_for_line("parameters that differ from their defaults")
        node.signal(signal.SIGINT)
        assert node.wait() == 0
        return node.output.splitlines()


def parameter_file(tmp_path: Path, section: str, *lines: str) -> list[str]:
    file = tmp_path / "parameters.yaml"
    indented = "\n".join(f"    {line}" for line in lines)
    file.write_text(f"{section}:\n  ros__parameters:\n{indented}\n")
    return ["--params-file", str(file)]


def test_unknown_parameter_names_are_reported_once_with_the_nearest(tmp_path: Path) -> None:
    wrong = ("min_detection_confidance: 0.9", "pose:", "  model: lite", "zzz: 1")
    arguments = parameter_file(tmp_path, "/**", *wrong)
    arguments += running.parameters(no_image_timeout_s=0.0)  # no other warning
    with running.node_and_client(*arguments, "-p", "modell:=lite") as client:
        line = client.process.wait_for_line("[WARN]")
        for name, nearest in (
            ("min_detection_confidance", "min_detection_confidence"),
            ("modell", "model"),
            ("pose.model", "model"),
        ):
            assert f"'{name}' (did you mean {nearest}?)" in line
        assert "'zzz'" in line
        status = client.status(lambda status: "zzz" in status.message, "the unknown names")
        assert status.level == DiagnosticStatus.WARN
        assert "idle" in status.message
        assert client.process.lines("[WARN]") == [line]


def test_known_parameters_of_the_node_and_of_rclpy_are_not_reported(tmp_path: Path) -> None:
    known = ("model: lite", "use_sim_time: false", "start_type_description_service: false")
    assert not [
        line for line in start_lines(*parameter_file(tmp_path, "/**", *known)) if "[WARN]" in line
    ]


def test_start_line_lists_the_values_that_differ_from_the_defaults(tmp_path: Path) -> None:
    """A section for another node cannot be seen; then this line shows that nothing came."""
    arguments = parameter_file(
        tmp_path, "/pose", "model: lite", "min_visibility: 0.25", "qos_depth: 1"
    )
    (line,) = [line for line in start_lines(*arguments) if "differ" in line]
    found = set(line.partition("defaults: ")[2].split(", "))
    assert found == {"model='lite'", "min_visibility=0.25"}
    (line,) = [line for line in start_lines(*arguments, "-r", "__ns:=/robot1") if "differ" in line]
    assert line.endswith(": none")


@pytest.mark.parametrize(
    ("name", "allowed"), [("providers", "CPUExecutionProvider"), ("roi_limits", "4 numbers")]
)
def test_empty_list_is_reported_with_what_is_allowed(name: str, allowed: str) -> None:
    """ROS gives an empty list no type, and so no value."""
    with running.process("-m", "pose_ros.node", "--ros-args", "-p", f"{name}:=[]") as node:
        assert node.wait() == 1
        (line,) = node.lines("[FATAL]")
    assert f"{name} is []" in line
    assert allowed in line


# Topics that the node itself uses with another type


@pytest.mark.parametrize(
    ("remapping", "topic", "types"),
    [
        ("image:=pose/landmarks", "/pose/landmarks", ("PointCloud2", "Image")),
        ("image:=/rosout", "/rosout", ("Log", "Image")),
        ("camera_info:=image", "/image", ("CameraInfo", "Image")),
        ("pose/markers:=pose/landmarks", "/pose/landmarks", ("PointCloud2", "MarkerArray")),
    ],
)
def test_image_or_output_on_a_topic_of_another_type_ends_the_start_with_one_line(
    remapping: str, topic: str, types: tuple[str, str]
) -> None:
    with running.node_process("-r", remapping) as process:
        assert process.wait() == 1
        (line,) = process.lines("[FATAL]")
        assert "Traceback" not in process.output
        assert process.output.splitlines()[-1] == line
    assert topic in line
    assert all(f"/msg/{name}" in line for name in types)


@pytest.mark.parametrize("name", ["camera_info", "depth"])
def test_other_input_of_another_type_is_reported_once_it_is_needed(name: str) -> None:
    arguments = running.parameters(model="lite", position_source="depth")
    with running.node_and_client("-r", f"{name}:=pose/markers", *arguments) as client:
        client.listen("landmarks")
        client.landmarks(running.image(running.person()[0]))
        status = client.status(lambda status: "/pose/markers" in status.message, "the topic")
        assert status.level == DiagnosticStatus.WARN
        (line,) = client.process.lines("/pose/markers")
        assert "visualization_msgs/msg/MarkerArray" in line


OF_RCLPY = ["use_sim_time", "start_type_description_service"]


@pytest.mark.parametrize("name", OF_RCLPY)
def test_text_for_a_boolean_parameter_of_rclpy_is_one_line_and_exit_code_1(
    tmp_path: Path, name: str
) -> None:
    arguments = parameter_file(tmp_path, "/**", f'{name}: "true"')
    with running.process("-m", "pose_ros.node", "--ros-args", *arguments) as node:
        assert node.wait() == 1
        (line,) = node.output.splitlines()
    assert name in line
    assert "'true'" in line


# The log folder


@pytest.mark.parametrize("folder", [None, "~/log"])
def test_no_home_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    for name in ("HOME", "ROS_HOME", "ROS_LOG_DIR"):
        monkeypatch.delenv(name, raising=False)
    if folder is not None:
        monkeypatch.setenv("ROS_LOG_DIR", folder)
    with running.process("-m", "pose_ros.node") as node:
        assert node.wait() == 1
        (line,) = node.output.splitlines()
    assert "HOME" in line
    assert "ROS_LOG_DIR" in line


def test_no_home_is_no_matter_where_the_log_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    assert start_lines()


@pytest.mark.parametrize("is_folder", [True, False], ids=["not writable", "not a folder"])
def test_log_folder_that_cannot_be_written_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_folder: bool
) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = "/proc/self" if is_folder else str(file)  # in /proc not even root can make files
    monkeypatch.setenv("ROS_LOG_DIR", folder)
    with running.process("-m", "pose_ros.node") as node:
        assert node.wait() == 1
        (line,) = node.output.splitlines()
    assert folder in line
