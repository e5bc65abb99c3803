"""What the launch files build, and that the real programs run with exactly that."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import launch_stub
import pytest
import running
import yaml
from launch_stub import load

POSE = running.ROOT / "launch" / "pose.launch.py"
CAMERAS = running.ROOT / "launch" / "cameras.launch.py"
DEMO = running.ROOT / "launch" / "demo.launch.py"
CONFIG = running.ROOT / "config"
ASKED_FOR = {
    *("namespace", "name", "image", "camera_info", "model", "params_file", "image_transport"),
    *("depth", "rviz", "rviz_frame", "use_sim_time", "log_level"),
}


@pytest.fixture
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    launch_stub.install(monkeypatch)


@pytest.mark.usefixtures("_stub")
def test_every_argument_has_a_description() -> None:
    assert load(POSE).descriptions.keys() >= ASKED_FOR
    assert load(DEMO).descriptions.keys() >= {"video", "loop", "rviz"}
    assert load(CAMERAS).descriptions.keys() >= {"cameras", "image", "model", "params_file"}
    for path in (POSE, CAMERAS, DEMO):
        assert all(len(text) > 10 for text in load(path).descriptions.values())


@pytest.mark.usefixtures("_stub")
def test_defaults_start_the_node_alone_with_the_parameter_file() -> None:
    launched = load(POSE)
    assert launched.nodes.keys() == {"pose_node"}
    assert launched.nodes["pose_node"].kwargs["package"] == "pose_ros"
    assert launched.nodes["pose_node"].command == [
        *("--ros-args", "--log-level", "info", "-r", "__node:=pose"),
        *("--params-file", launched.values["params_file"], "-p", "use_sim_time:=false"),
        *("-r", "image:=image", "-r", "camera_info:=camera_info", "-r", "depth:=depth"),
    ]
    assert Path(launched.values["params_file"]).read_bytes() == (CONFIG / "pose.yaml").read_bytes()


@pytest.mark.usefixtures("_stub")
def test_given_arguments_follow_the_file_so_that_they_win() -> None:
    words = load(POSE, model="upper_body", image_transport="compressed").nodes["pose_node"].command
    given = words[words.index("--params-file") + 2 :]
    assert given[:4] == ["-p", "model:=upper_body", "-p", "image_transport:=compressed"]


@pytest.mark.usefixtures("_stub")
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


@pytest.mark.usefixtures("_stub")
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


@pytest.mark.usefixtures("_stub")
def test_rviz_takes_its_fixed_frame_from_an_argument() -> None:
    words = load(POSE, rviz="true", rviz_frame="map").nodes["rviz2"].kwargs["arguments"]
    assert words[words.index("-f") + 1] == "map"


@pytest.mark.usefixtures("_stub")
def test_each_camera_has_a_node_in_its_namespace() -> None:
    launched = load(CAMERAS, cameras="front, rear,left", image="image_rect", model="lite")
    assert [node.kwargs["executable"] for node in launched.processes] == ["pose_node"] * 3
    for node, namespace in zip(launched.processes, ("front", "rear", "left"), strict=True):
        words = node.command
        assert f"__ns:=/{namespace}" in words
        assert "image:=image_rect" in words
        assert "model:=lite" in words
        assert words[words.index("--params-file") + 1] == launched.values["params_file"]


@pytest.mark.usefixtures("_stub")
def test_arguments_of_cameras_are_those_of_the_node() -> None:
    one, many = load(POSE), load(CAMERAS)
    for name in many.descriptions.keys() - {"cameras", "image"}:
        assert many.values[name] == one.values[name], name


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
            rear_process.kill()


def topics_of(namespace: str) -> dict[str, str]:
    return {"name": f"/{namespace}/pose", "image_topic": f"/{namespace}/image_raw"}


@pytest.mark.usefixtures("_stub")
def test_demo_plays_the_clip_with_room_for_images() -> None:
    launched = load(DEMO)
    assert launched.nodes.keys() == {"video_source", "pose_node", "rviz2"}
    clip, loop = launched.nodes["video_source"].kwargs["arguments"]
    assert Path(clip).name == "person.mp4"
    assert Path(clip).exists()
    assert loop == "--loop"
    assert set(launched.environment) == {
        "FASTRTPS_DEFAULT_PROFILES_FILE",
        "FASTDDS_DEFAULT_PROFILES_FILE",
    }
    assert {Path(path).name for path in launched.environment.values()} == {"fastdds_shm.xml"}
    other = load(DEMO, rviz="false", loop="false", video="other.mp4")
    assert other.nodes.keys() == {"video_source", "pose_node"}
    assert other.nodes["video_source"].kwargs["arguments"] == ["other.mp4", "--no-loop"]


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
    node = load(DEMO, loop="false").nodes["video_source"]
    source, *rest = node.command
    command = ("-m", "pose_ros.tools.video_source", source, "--frames", "3", *rest)
    with running.process(*command) as process:
        assert process.wait() == 0, process.output
        assert process.output == ""


LAUNCH_IS_MISSING = importlib.util.find_spec("launch_ros") is None


@pytest.mark.skipif(LAUNCH_IS_MISSING, reason="ROS 2's launch_ros is not installed here")
@pytest.mark.parametrize(("path", "executables"), [(POSE, 2), (CAMERAS, 4), (DEMO, 3)])
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
        "context.launch_configurations['rviz'] = 'true'\n"
        f"description = runpy.run_path({str(path)!r})['generate_launch_description']()\n"
        "print(len(list(nodes(description.entities))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=running.ROOT
    )
    assert done.stdout.strip() == str(executables), done.stderr
