"""What must agree with each other: options, configuration, README, package files."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import launch_stub
import pytest
import yaml

from pose_ros.blazepose import PoseTrackerOptions
from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS, TARGET_OUTPUTS
from pose_ros.parameters import NodeOptions, parameter_specs
from pose_ros.tools import annotate, demo
from project import joints_table, parameters_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
DEFAULTS = NodeOptions()
SPECS = parameter_specs()

# To compare with and to plot with, where installed; hri_msgs is not released for Kilted.
OPTIONAL = {"mediapipe", "matplotlib", "hri_msgs"}
# The rosdep keys of what is imported under another name.
ROSDEP_KEYS = {
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "tf2_ros": "tf2_ros_py",
    "yaml": "python3-yaml",
    "hypothesis": "python3-hypothesis",
    "pytest": "python3-pytest",
}
UNFIT_WORDS = tuple(
    a + b for a, b in (("/wo", "rk/"), ("TO", "DO"), ("FIX", "ME"), ("/tmp/", "lab"))
)


def as_ros(name: str) -> Any:
    value = getattr(DEFAULTS, name)
    return list(value) if isinstance(value, tuple) else value


# Parameters


def test_parameter_file_has_exactly_the_options_with_their_defaults() -> None:
    content = yaml.safe_load((ROOT / "config" / "pose.yaml").read_text(encoding="utf-8"))
    (node,) = content.values()
    written = node["ros__parameters"]
    assert written == {name: as_ros(name) for name in SPECS}
    assert {name: type(value) for name, value in written.items()} == {
        name: type(as_ros(name)) for name in SPECS
    }


def test_default_model_is_the_same_in_library_node_tools_and_launch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch argument that is empty leaves it to the node."""
    launch_stub.install(monkeypatch)
    found = {"library": PoseTrackerOptions().model, "node": DEFAULTS.model}
    for command in (annotate, demo):
        with pytest.raises(SystemExit):
            command.main(["--help"])
        text = capsys.readouterr().out.rpartition("--model ")[2]
        found[command.__name__] = re.findall(r"default:\s+(\w+)", text)[0]
    arguments = {"pose": {}, "cameras": {"cameras": "front"}, "demo": {"rviz": "false"}}
    for file, given in arguments.items():
        launched = launch_stub.load(ROOT / "launch" / f"{file}.launch.py", **given)
        words = launched.nodes["pose_node"].command
        chosen = [word for word in words if word.startswith("model:=")]
        found[file] = chosen[0].partition(":=")[2] if chosen else DEFAULTS.model
    assert set(found.values()) == {"full"}, found


@pytest.mark.parametrize("name", SPECS)
def test_every_parameter_has_a_description(name: str) -> None:
    description = SPECS[name].description
    assert description.endswith(".")
    assert description[0].isupper() or description.startswith("onnxruntime")


def test_the_page_of_the_parameters_is_up_to_date() -> None:
    assert parameters_page.FILE.read_text(encoding="utf-8") == parameters_page.page(), "make docs"


# Documents


def test_the_table_of_the_joints_is_up_to_date() -> None:
    assert joints_table.FILE.read_text(encoding="utf-8") == joints_table.page(), "make docs"
    assert joints_table.table() in joints_table.page()


@pytest.mark.parametrize(
    "output", [*OUTPUTS, *TARGET_OUTPUTS, LANDMARK_NAMES], ids=lambda output: output.name
)
def test_every_topic_is_documented_with_its_type(output: Any) -> None:
    package = output.message_type.__module__.partition(".")[0]
    row = rf"^\| `~/{output.name}` \| {package}/{output.message_type.__name__}\b"
    assert re.search(row, (ROOT / "docs" / "topics.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_files_and_sections_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)|src=\"([^\"]+)\"", text):
        name, _, section = "".join(target).partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not section or section in anchors(file), target
    for name in re.findall(r"\b(?:test|docs|config|models)/[\w./]+\.\w+", text):
        assert (ROOT / name).exists() or name.startswith("test/media/"), name
    for name in re.findall(
        r"`((?:blazepose|geometry|body|inputs|outputs|runtime)/\w+\.py)`", text
    ):
        assert (ROOT / "pose_ros" / name).exists(), name


def anchors(page: Path) -> set[str]:
    """The names by which links reach the sections of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Package


def test_versions_agree() -> None:
    version = MANIFEST.findtext("version")
    (in_setup,) = re.findall(r"version=\"(.+)\"", SETUP)
    assert in_setup == version
    changelog = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    headings = re.findall(
        r"^(Forthcoming|\d+\.\d+\.\d+)(?: \(.+\))?\n-+$", changelog, re.MULTILINE
    )
    released = [heading for heading in headings if heading != "Forthcoming"]
    assert headings, "the changelog has no version"
    # Before the first release there is but the heading for what is to come.
    assert released[:1] == [version] or (not released and version == "0.1.0")


def test_descriptions_of_the_package_agree() -> None:
    assert f'maintainer="{MANIFEST.findtext("maintainer")}"' in SETUP
    assert f'license="{MANIFEST.findtext("license")}"' in SETUP
    assert 'NAME = "pose_ros"' in SETUP
    assert MANIFEST.findtext("name") == "pose_ros"


def imported(folder: Path) -> set[str]:
    """The top-level names of all that the files of a folder import from elsewhere."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"pose_ros"}


def depends(*tags: str) -> set[str | None]:
    return {item.text for tag in tags for item in MANIFEST.findall(tag)}


@pytest.mark.parametrize("folder", ["pose_ros", "launch"])
def test_package_xml_declares_every_import(folder: str) -> None:
    needed = {ROSDEP_KEYS.get(name, name) for name in imported(ROOT / folder) - OPTIONAL}
    assert needed - depends("depend", "exec_depend") == set()


def test_package_xml_declares_no_more_than_is_used() -> None:
    used: set[str] = set().union(
        *(imported(ROOT / folder) for folder in ("pose_ros", "launch", "test"))
    )
    keys = {ROSDEP_KEYS.get(name, name) for name in used} | {"ros2launch"}
    assert depends("depend", "exec_depend") - keys == set()


def test_pip_puts_only_the_nodes_on_the_path() -> None:
    commands = re.findall(r"(\w+) = \{NAME\}\.([\w.]+):(\w+)\"", SETUP)
    assert commands == [("pose_node", "node", "main"), ("gesture_node", "gesture_node", "main")]
    for _, module, function in commands:
        assert callable(getattr(importlib.import_module(f"pose_ros.{module}"), function))


def test_every_tool_has_a_program_that_ros2_run_finds() -> None:
    programs = {file.name: file for file in (ROOT / "resource" / "tools").iterdir()}
    modules = {
        file.stem
        for file in (ROOT / "pose_ros" / "tools").glob("*.py")
        if "def main(" in file.read_text(encoding="utf-8")
    }
    assert programs.keys() == modules
    for name, file in programs.items():
        assert os.access(file, os.X_OK)
        assert f"from pose_ros.tools.{name} import main\n" in file.read_text(encoding="utf-8")


def tracked() -> list[str]:
    """The repository's files; those of a tree that was copied without git are unknown."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_has_paths_of_one_machine_or_notes_to_oneself() -> None:
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, a model
        if not name.endswith(".onnx"):
            found += [f"{name}: {word}" for word in UNFIT_WORDS if word in text]
    assert found == []
