"""What the launch files build, and that the real programs run with exactly that."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import launch_stub
import pytest
import running
import yaml
from launch_stub import load, load_within

from pose_ros.runtime.package_paths import fast_dds_environment

POSE = running.ROOT / "launch" / "pose.launch.py"
CAMERAS = running.ROOT / "launch" / "cameras.launch.py"
DEMO = running.ROOT / "launch" / "demo.launch.py"
CONFIG = running.ROOT / "config"
PARAMETERS = {
    *(
        "model",
        "max_persons",
        "person_detector",
        "image_transport",
        "qos_reliability",
        "position_source",
        "person_height_m",
        "camera_height_m",
        "publish_tf",
    ),
    *("tf_prefix", "target_frame", "floor_frame", "autostart", "use_sim_time"),
}
ARGUMENTS = PARAMETERS | {
    *("namespace", "name", "image", "camera_info", "depth", "detections", "params_file"),
    *("respawn", "rviz", "rviz_frame", "log_level", "default_tf_prefix"),
}


@pytest.fixture
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    launch_stub.install(monkeypatch)


@pytest.fixture
def _rviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a package rviz2 into the ament index."""
    marker = tmp_path / "share/ament_index/resource_index/packages/rviz2"
    marker.parent.mkdir(parents=True)
    marker.touch()
    found = f"{tmp_path}{os.pathsep}{os.environ.get('AMENT_PREFIX_PATH', '')}"
    monkeypatch.setenv("AMENT_PREFIX_PATH", found)


@pytest.mark.usefixtures("_stub", "_rviz")
def test_every_argument_has_a_description() -> None:
    assert load(POSE).descriptions.keys() >= ARGUMENTS
    assert load(CAMERAS).descriptions.keys() >= {"cameras", *ARGUMENTS} - {
        *("namespace", "rviz", "rviz_frame", "default_tf_prefix")
    }
    for path in (POSE, CAMERAS, DEMO):
        assert all(len(text) > 10 for text in load(path).descriptions.values())


@pytest.mark.usefixtures("_stub")
def test_arguments_left_empty_set_no_parameter() -> None:
    """What a file or a SetParameter action says is not overridden."""
    assert load(POSE).nodes["pose_node"].command == [
        *("--ros-args", "--log-level", "pose:=info", "-r", "__node:=pose"),
        *("-r", "image:=image", "-r", "camera_info:=camera_info", "-r", "depth:=depth"),
        *("-r", "detections:=detections"),
    ]


@pytest.mark.usefixtures("_stub")
@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_given_arguments_follow_the_file_so_that_they_win(name: str) -> None:
    launched = load(POSE, params_file="own.yaml", **{name: "true"})
    words = launched.nodes["pose_node"].command
    given = words[words.index("--params-file") :]
    assert given[:4] == ["--params-file", "own.yaml", "-p", f"{name}:=true"]


@pytest.mark.usefixtures("_stub")
def test_log_level_and_respawn_are_those_of_the_node_alone() -> None:
    node = load(POSE, namespace="/robot/head", name="body", log_level="debug", respawn="true")
    kwargs = node.nodes["pose_node"].kwargs
    assert kwargs["ros_arguments"] == ["--log-level", "robot.head.body:=debug"]
    assert kwargs["respawn"]
    assert not load(POSE).nodes["pose_node"].kwargs["respawn"]


@pytest.mark.usefixtures("_stub")
@pytest.mark.parametrize("path", [POSE, DEMO])
def test_rviz_that_is_not_installed_is_reported_before_anything_starts(path: Path) -> None:
    with pytest.raises(RuntimeError, match="rviz2"):
        load(path, rviz="true")


@pytest.mark.usefixtures("_stub", "_rviz")
def test_rviz_follows_namespace_name_and_image_of_the_node() -> None:
    launched = load(POSE, rviz="true", namespace="robot", name="body", image="cam/image_raw")
    rviz = launched.nodes["rviz2"]
    assert rviz.kwargs["namespace"] == launched.nodes["pose_node"].kwargs["namespace"] == "robot"
    remapped = dict(rviz.kwargs["remappings"])
    config = (CONFIG / "pose.rviz").read_text()
    for topic in re.findall(r"Value: (/\S+)", config):
        assert topic in remapped
    assert remapped["/image"] == "cam/image_raw"
    outputs = {old for old in remapped if old.startswith("/pose/")}
    assert "/pose/markers" in outputs
    for old in outputs:
        assert remapped[old] == old.replace("/pose/", "body/")
    file, frame = (rviz.kwargs["arguments"][index] for index in (1, 3))
    assert Path(file).read_text() == config
    assert (
        frame == yaml.safe_load(config)["Visualization Manager"]["Global Options"]["Fixed Frame"]
    )


@pytest.mark.usefixtures("_stub", "_rviz")
def test_rviz_finds_the_calibration_beside_the_image_of_its_camera_display() -> None:
    """Its Camera display asks for `camera_info` in the namespace of the image topic."""
    config = yaml.safe_load((CONFIG / "pose.rviz").read_text())["Visualization Manager"]
    (image,) = (
        display["Topic"]["Value"]
        for display in config["Displays"]
        if display["Class"].endswith("/Camera")
    )
    given = {"image": "cam/image_rect", "camera_info": "other/camera_info"}
    remapped = dict(load(POSE, rviz="true", **given).nodes["rviz2"].kwargs["remappings"])
    assert remapped[image] == given["image"]
    assert remapped[image.rpartition("/")[0] + "/camera_info"] == given["camera_info"]


@pytest.mark.usefixtures("_stub", "_rviz")
def test_rviz_takes_its_fixed_frame_from_an_argument() -> None:
    words = load(POSE, rviz="true", rviz_frame="map").nodes["rviz2"].kwargs["arguments"]
    assert words[words.index("-f") + 1] == "map"


@pytest.mark.usefixtures("_stub")
def test_each_camera_has_a_node_in_its_namespace() -> None:
    launched = load(CAMERAS, cameras="front, rear,left", image="image_rect", model="lite,full,")
    assert [node.kwargs["executable"] for node in launched.processes] == ["pose_node"] * 3
    for node, camera, model in zip(
        launched.processes, ("front", "rear", "left"), ("lite", "full", ""), strict=True
    ):
        words = node.command
        assert f"__ns:=/{camera}" in words
        assert "image:=image_rect" in words
        assert f"tf_prefix:={camera}/" in words
        assert [word for word in words if word.startswith("model:=")] == (
            [f"model:={model}"] if model else []
        )


@pytest.mark.usefixtures("_stub")
@pytest.mark.parametrize("given", [{"model": "lite,full"}, {"cameras": "a,a,b"}, {"cameras": ""}])
def test_values_that_do_not_fit_the_cameras_are_reported(given: dict[str, str]) -> None:
    (value,) = given.values()
    with pytest.raises(RuntimeError, match=value.split(",")[0]):
        load(CAMERAS, **{"cameras": "a,b,c", **given})


@pytest.mark.usefixtures("_stub")
def test_real_nodes_of_two_cameras_see_their_own_images(tmp_path: Path) -> None:
    """The front camera shows a person, the rear one nobody; both nodes run at once."""
    front, rear = (
        ("-m", "pose_ros.node", *node.command) for node in load(CAMERAS, model="lite").processes
    )
    (picture,) = running.person()
    with running.process(*front) as front_process:
        rear_process = running.Process(front_process.domain_id, tmp_path, *rear)
        try:
            with (
                running.client(front_process, **topics_of("front")) as front_client,
                running.client(rear_process, **topics_of("rear")) as rear_client,
            ):
                rear_client.listen("landmarks")
                seen = front_client.landmarks(running.image(picture))
                nobody = rear_client.landmarks(running.image(running.black()))
                assert (len(seen.person_id), len(nobody.person_id)) == (1, 0)
        finally:
            rear_process.end()


def file_text(section: str, value: str) -> str:
    return f"{section}: {{ros__parameters: {{tf_prefix: {value}}}}}"


@pytest.mark.usefixtures("_stub")
@pytest.mark.parametrize(
    ("file", "given", "set_parameters", "expected"),
    [
        ("", "", {}, "front/"),
        (file_text("/rear/pose", "other/"), "", {}, "front/"),
        (file_text("/front/pose", "own/"), "", {}, "own/"),
        (file_text("/**", "own/"), "", {}, "own/"),
        (file_text("/front/pose", "''"), "", {}, ""),
        (file_text("/**", "own/"), "given/", {}, "given/"),
        ("", "{camera}_", {}, "front_"),
        ("", "", {"tf_prefix": "set/"}, "set/"),
    ],
)
def test_tf_prefix_of_a_camera_is_its_name_where_nothing_else_sets_one(
    file: str, given: str, set_parameters: dict[str, str], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(file)
    arguments = {"cameras": "front", "tf_prefix": given, "params_file": str(path) if file else ""}
    assert (
        values_of(load_within(set_parameters, CAMERAS, arguments)).get("tf_prefix", "") == expected
    )


@pytest.mark.usefixtures("_stub")
def test_arguments_left_empty_override_neither_set_parameter_nor_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("/**: {ros__parameters: {model: heavy, max_persons: 3}}")
    set_parameters = {"use_sim_time": True, "qos_reliability": "reliable", "model": "lite"}
    launched = load_within(set_parameters, POSE, {"params_file": str(path)})
    values = values_of(launched)
    assert values == {"model": "heavy", "max_persons": "3", "qos_reliability": "reliable"}
    words = launched.nodes["pose_node"].command
    assert [word for word in words if "use_sim_time" in word] == ["use_sim_time:=true"]


def values_of(launched: launch_stub.Launched) -> dict[str, str]:
    """The values that differ from the defaults, as the real node reports them at its start."""
    command = ("-m", "pose_ros.node", *launched.nodes["pose_node"].command)
    with running.process(*command) as process:
        line = process.wait_for_line("differ from their defaults")
    items = line.partition("defaults: ")[2].split(", ")
    pairs = (item.split("=") for item in items if item != "none")
    return {name: value.strip("'") for name, value in pairs}


def topics_of(namespace: str) -> dict[str, str]:
    return {"name": f"/{namespace}/pose", "image_topic": f"/{namespace}/image_raw"}


@pytest.mark.usefixtures("_stub", "_rviz")
def test_demo_plays_the_clip_with_room_for_images() -> None:
    launched = load(DEMO)
    assert launched.nodes.keys() == {"video_source", "pose_node", "rviz2"}
    clip, loop = launched.nodes["video_source"].kwargs["arguments"]
    assert Path(clip).name == "walker.mp4"
    assert Path(clip).exists()
    assert loop == "--loop"
    assert launched.environment == fast_dds_environment()
    other = load(DEMO, rviz="false", loop="false", video="other.mp4")
    assert other.nodes.keys() == {"video_source", "pose_node"}
    assert other.nodes["video_source"].kwargs["arguments"] == ["other.mp4", "--no-loop"]


@pytest.mark.usefixtures("_stub")
def test_demo_offers_no_argument_that_keeps_its_images_from_the_node() -> None:
    offered = {"video", "loop", "model", "max_persons", "rviz"}
    assert load(DEMO, rviz="false").descriptions.keys() == offered
    words = load(DEMO, rviz="false", model="lite", max_persons="2").nodes["pose_node"].command
    given = {"model:=lite", "max_persons:=2", "image:=image", "image_transport:=raw"}
    assert given <= set(words)


@pytest.mark.usefixtures("_stub")
def test_real_node_runs_with_what_the_launch_file_builds(tmp_path: Path) -> None:
    """Its arguments win over the file, whose other values hold."""
    file = tmp_path / "own.yaml"
    file.write_text(
        "/**: {ros__parameters: {image_transport: raw, min_visibility: 0.75, qos_depth: 3}}"
    )
    launched = load(
        POSE,
        namespace="robot",
        name="body",
        image="cam/image_raw",
        params_file=str(file),
        image_transport="compressed",
        use_sim_time="true",
    )
    command = ("-m", "pose_ros.node", *launched.nodes["pose_node"].command)
    with running.process(*command) as process:
        client = running.Client(process, "/robot/body", "/robot/cam/image_raw/compressed")
        try:
            values = {
                name: client.get(name)
                for name in ("image_transport", "min_visibility", "qos_depth", "use_sim_time")
            }
        finally:
            client.close()
        assert process.wait_for_line("/robot/cam/image_raw/compressed")
    assert values == {
        "image_transport": "compressed",
        "min_visibility": 0.75,
        "qos_depth": 3,
        "use_sim_time": True,
    }


@pytest.mark.usefixtures("_stub")
def test_real_video_source_runs_with_what_the_launch_file_builds() -> None:
    node = load(DEMO, loop="false", rviz="false").nodes["video_source"]
    source, *rest = node.command
    command = ("-m", "pose_ros.tools.video_source", source, "--frames", "3", *rest)
    with running.process(*command) as process:
        assert process.wait() == 0, process.output
        assert process.output == ""


LAUNCH_IS_MISSING = importlib.util.find_spec("launch_ros") is None


@pytest.mark.skipif(LAUNCH_IS_MISSING, reason="ROS 2's launch_ros is not installed here")
@pytest.mark.parametrize(("path", "executables"), [(POSE, 1), (CAMERAS, 2), (DEMO, 2)])
def test_real_launch_resolves_the_files(path: Path, executables: int) -> None:
    program = (
        "import runpy, sys\n"
        "from launch import LaunchContext\n"
        "from launch.utilities import normalize_to_list_of_substitutions\n"
        "from launch_ros.actions import Node\n"
        "def nodes(entities):\n"
        "    for entity in entities:\n"
        "        if isinstance(entity, Node): yield entity\n"
        "        else: yield from nodes(entity.visit(context) or [])\n"
        "context = LaunchContext()\n"
        "context.launch_configurations['rviz'] = 'false'\n"
        f"description = runpy.run_path({str(path)!r})['generate_launch_description']()\n"
        "print(len(list(nodes(description.entities))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=running.ROOT
    )
    assert done.stdout.strip() == str(executables), done.stderr
