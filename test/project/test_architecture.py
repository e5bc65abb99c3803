"""The rules of the house, one test each, by what the files import and how long they are."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pose_ros"
FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in FILES.items()}

PURE = ("blazepose", "geometry", "body", "native")
JOINED = ("inputs", "outputs", "runtime")
NODES = {"pose_ros.node", "pose_ros.gesture_node"}
JOINING = NODES | {"pose_ros.processing"}
# what pure code gets from outside, if at all
OUTSIDE = {"datetime", "logging", "os", "random", "socket", "sys", "time"}
ROS = {"rclpy", "sensor_msgs", "std_msgs"}
PRINTING = {"print", "input", "exec", "eval"}
SHARED_BY_PURE = {"datatypes", "errors", "option_fields", "smoothing", "timeline", "topology"}
# smoothing is none: a filter is a value, which the model table holds with its constants
STAGES = {"detector", "movenet", "crop", "landmarker", "projection", "roi"}
DETECTORS = {"detector", "movenet"}
COMPOSERS = {"", "track", "tracker"}
ANYBODYS = {f"pose_ros.runtime.{name}" for name in ("clock", "endpoints", "fields")}
# what options are made of, and checked by
OF_OPTIONS = {"pose_ros.inputs.options", "pose_ros.outputs.options", "pose_ros.outputs.packages"}
OF_OPTIONS |= {"pose_ros.inputs.detections", "pose_ros.runtime.package_paths"}


def folder_of(name: str) -> str:
    """Return the folder of the package that a module lies in; nothing for those on top."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else ""


def stem_of(name: str) -> str:
    return ".".join(name.split(".")[2:])


def imported(name: str) -> set[str]:
    """Return the full names of all modules that a module imports anywhere."""
    names = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= submodules & FILES.keys() or {str(node.module)}
    return names


def own(name: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    return {other for other in imported(name) if other.partition(".")[0] == "pose_ros"}


def roots(name: str) -> set[str]:
    return {other.partition(".")[0] for other in imported(name)}


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(TREES[name]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring."""
    start, first = function.lineno, function.body[0]
    if ast.get_docstring(function):
        start += (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - start + 1


ALL = pytest.mark.parametrize("name", FILES)
IN_PURE = pytest.mark.parametrize("name", [name for name in FILES if folder_of(name) in PURE])
IN_CORE = pytest.mark.parametrize("name", [n for n in FILES if folder_of(n) == "blazepose"])
IN_JOINED = pytest.mark.parametrize("name", [n for n in FILES if folder_of(n) in JOINED])


def test_the_imports_are_found() -> None:
    assert imported("pose_ros.blazepose") >= {"pose_ros.blazepose.tracker"}
    assert own("pose_ros.blazepose.detector") >= {"pose_ros.blazepose.crop"}
    assert roots("pose_ros.node") >= {"rclpy", "pose_ros"}
    assert {folder_of(name) for name in FILES} >= {*JOINED, *PURE, ""}


# 1. What is pure


@IN_PURE
def test_pure_code_knows_numpy_and_opencv_only(name: str) -> None:
    libraries = {"numpy", "cv2", "pose_ros", *sys.stdlib_module_names} - OUTSIDE
    if name == "pose_ros.blazepose.inference":  # whatever runtime a backend needs
        libraries |= roots(name) - OUTSIDE - ROS
    assert roots(name) <= libraries


@IN_PURE
def test_pure_code_prints_and_asks_nothing(name: str) -> None:
    called = {
        node.func.id
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & PRINTING == set()


@IN_PURE
def test_pure_code_imports_nothing_above_it(name: str) -> None:
    folder = folder_of(name)
    for other in own(name) - {f"pose_ros.{folder}"}:
        shared = folder != "blazepose" and other.startswith("pose_ros.blazepose.")
        if folder == "blazepose" and folder_of(other) == "native":
            continue  # compiled stages, below the others
        assert folder_of(other) == folder or (shared and stem_of(other) in SHARED_BY_PURE)


# 2. Stages


@IN_CORE
def test_only_trackers_compose_the_stages(name: str) -> None:
    stages = {stem_of(other) for other in own(name)} & STAGES - {stem_of(name)}
    if stem_of(name) not in COMPOSERS:
        assert stages <= ({"crop"} if stem_of(name) in DETECTORS else set())


@ALL
def test_onnxruntime_is_imported_in_one_place(name: str) -> None:
    assert ("onnxruntime" in roots(name)) == (name == "pose_ros.blazepose.inference")


# 3. Inputs, outputs, runtime


@IN_JOINED
def test_inputs_outputs_and_runtime_do_not_import_each_other(name: str) -> None:
    others = {*JOINED, "tools", ""} - {folder_of(name)}
    found = {other for other in own(name) - ANYBODYS if folder_of(other) in others}
    assert found == set()


@pytest.mark.parametrize("name", sorted(n for n in FILES if not folder_of(n) and n not in JOINING))
def test_only_nodes_and_the_processor_join_them(name: str) -> None:
    joined = {other for other in own(name) if folder_of(other) in JOINED}
    if name == "pose_ros.client":
        assert joined - ANYBODYS == {"pose_ros.outputs.layout"}
    else:
        assert joined <= OF_OPTIONS


@ALL
def test_nobody_imports_the_nodes(name: str) -> None:
    assert own(name) & NODES == set()


@ALL
def test_packages_of_some_outputs_are_imported_in_one_place(name: str) -> None:
    has_any = bool({"tf2_ros", "hri_msgs"} & roots(name))
    assert has_any == (name == "pose_ros.outputs.packages")


@pytest.mark.parametrize(
    "stem",
    [
        "clouds",
        "frame",
        "hri_messages",
        "images",
        "joint_states",
        "layout",
        "markers",
        "messages",
        "motions",
        "target_messages",
        "transforms",
    ],
)
def test_messages_are_pure_functions_of_message_types(stem: str) -> None:
    assert roots(f"pose_ros.outputs.{stem}") & {"rclpy", "tf2_ros"} == set()


def test_no_imports_in_a_circle() -> None:
    waiting = {name: own(name) & FILES.keys() - {name} for name in FILES}
    while free := {name for name, needed in waiting.items() if not needed & waiting.keys()}:
        waiting = {name: needed for name, needed in waiting.items() if name not in free}
    assert waiting == {}


# 4. One record of what is remembered


def test_the_state_of_the_tracker_is_one_record() -> None:
    """A reset is one assignment: nothing else is set while images are tracked."""
    tracking = {"track", "_track", "_advance", "reset"}
    assigned = {
        target.attr
        for function in functions("pose_ros.blazepose.tracker")
        if function.name in tracking
        for node in ast.walk(function)
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }
    assert assigned <= {"_state"}


# Sizes


def test_functions_are_short() -> None:
    lengths = [lines_of(function) for name in FILES for function in functions(name)]
    assert max(lengths) <= 30
    assert statistics.quantiles(lengths, n=10)[-1] <= 15


@ALL
def test_files_are_short(name: str) -> None:
    assert FILES[name].read_text(encoding="utf-8").count("\n") <= 260
