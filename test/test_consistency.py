"""What must agree with each other: options, configuration, README, package files."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from pose_ros.messages import LANDMARK_NAMES, OUTPUTS
from pose_ros.parameters import NodeOptions, parameter_specs

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
DEFAULTS = NodeOptions()
SPECS = parameter_specs()

OPTIONAL = {"mediapipe", "matplotlib"}  # to compare with, to plot with; where installed
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


def as_yaml(value: Any) -> str:
    """Write a value as one would in a parameter file."""
    if isinstance(value, str):
        return value or '""'
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.split("\n")[0]


# Parameters


def test_parameter_file_has_exactly_the_options_with_their_defaults() -> None:
    content = yaml.safe_load((ROOT / "config" / "pose.yaml").read_text(encoding="utf-8"))
    (node,) = content.values()
    written = node["ros__parameters"]
    assert written == {name: as_ros(name) for name in SPECS}
    assert {name: type(value) for name, value in written.items()} == {
        name: type(as_ros(name)) for name in SPECS
    }


@pytest.mark.parametrize("name", SPECS)
def test_every_parameter_has_a_description(name: str) -> None:
    description = SPECS[name].description
    assert description.endswith(".")
    assert description[0].isupper() or description.startswith("onnxruntime")


def rows(section: str) -> dict[str, list[str]]:
    """The table rows of a README section: the cells by the name in backticks in the first."""
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    tables = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {name: cells for cells in tables for name in re.findall(r"`([\w~/]+)`", cells[0])}


@pytest.mark.parametrize("name", SPECS)
def test_readme_has_a_line_on_every_parameter_with_its_default(name: str) -> None:
    cells = rows("Parameters")[name]
    assert f"`{as_yaml(as_ros(name))}`" in cells[1]
    assert ("*fixed*" in " ".join(cells)) == SPECS[name].fixed


def test_readme_has_no_line_on_other_parameters() -> None:
    assert set(rows("Parameters")) == set(SPECS)


@pytest.mark.parametrize("output", [*OUTPUTS, LANDMARK_NAMES], ids=lambda output: output.name)
def test_readme_has_a_line_on_every_topic_with_its_type(output: Any) -> None:
    cells = rows("Topics")[f"~/{output.name}"]
    package = output.message_type.__module__.partition(".")[0]
    assert f"{package}/{output.message_type.__name__}" in cells[1]


# Robustness

NAMED = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+\.py(?:::\w+)?)`", NAMED))))
def test_the_page_on_robustness_names_tests_that_exist(name: str) -> None:
    file, _, function = name.partition("::")
    text = (ROOT / "test" / file).read_text(encoding="utf-8")
    assert not function or f"\ndef {function}(" in text


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


def test_console_commands_exist() -> None:
    commands = re.findall(r"(\w+) = \{NAME\}\.([\w.]+):(\w+)\"", SETUP)
    assert {command for command, _, _ in commands} >= {"pose_node", "video_source", "annotate"}
    for _, module, function in commands:
        assert callable(getattr(importlib.import_module(f"pose_ros.{module}"), function))


def tracked() -> list[str]:
    """The repository's files; those of a tree that was copied without git cannot be told."""
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
