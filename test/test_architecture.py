"""Who may import whom, how long a function may be, and that every function is annotated."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pose_ros"
CORE = PACKAGE / "blazepose"
CORE_NAME = "pose_ros.blazepose"
MAX_FUNCTION_LINES = 60

# What every module of the core may import of the core.
SHARED = {"datatypes", "errors", "models", "options", "topology", "trigonometry"}
# What a module may import beyond that. Only the tracker composes the stages.
BEYOND = {
    "detector": {"anchors", "crop", "inference"},
    "landmarker": {"inference"},
    "camera": {"distortion"},
    "position": {"camera", "depth", "smoothing", "timeline"},
}
COMPOSERS = {"__init__", "tracker"}
LIBRARIES = {"numpy", "cv2"}
# Clocks, environment and output reach the core from outside only.
FORBIDDEN_IN_CORE = {"datetime", "logging", "os", "random", "socket", "sys", "threading", "time"}
MESSAGES_CORE = {"camera", "datatypes", "distortion", "drawing", "topology"}

FILES = sorted(PACKAGE.rglob("*.py"))
CORE_FILES = sorted(CORE.glob("*.py"))
ALL = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
IN_CORE = pytest.mark.parametrize("file", CORE_FILES, ids=lambda file: file.stem)


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> set[str]:
    """Return the full names of all modules, and names in them, that a file imports anywhere."""
    names = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(file)}


def core_modules(file: Path) -> set[str]:
    """Return the stems of the core's modules that a file imports."""
    prefix = f"{CORE_NAME}."
    return {
        name.removeprefix(prefix).partition(".")[0]
        for name in imports(file)
        if name.startswith(prefix)
    }


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_the_files_are_found() -> None:
    assert {"tracker", "crop", "inference"} <= {file.stem for file in CORE_FILES}
    assert PACKAGE / "images.py" in FILES
    assert core_modules(CORE / "landmarker.py") >= {"inference", "datatypes"}


@IN_CORE
def test_the_core_knows_numpy_opencv_and_itself_only(file: Path) -> None:
    allowed = LIBRARIES | set(sys.stdlib_module_names) | {"pose_ros"}
    if file.stem == "inference":
        allowed.add("onnxruntime")
    assert roots(file) <= allowed
    own = {name for name in imports(file) if name.partition(".")[0] == "pose_ros"}
    assert {name for name in own if not name.startswith(f"{CORE_NAME}.")} == set()


@ALL
def test_onnxruntime_is_imported_in_one_place(file: Path) -> None:
    assert ("onnxruntime" in roots(file)) == (file == CORE / "inference.py")


@ALL
def test_tf2_ros_is_imported_in_one_place(file: Path) -> None:
    assert ("tf2_ros" in roots(file)) == (file == PACKAGE / "tf.py")


def test_transforms_are_pure_functions_of_message_types() -> None:
    assert roots(PACKAGE / "transforms.py") & {"rclpy", "tf2_ros"} == set()


@IN_CORE
def test_stages_do_not_import_each_other(file: Path) -> None:
    if file.stem not in COMPOSERS:
        allowed = SHARED | BEYOND.get(file.stem, set())
        assert core_modules(file) - allowed == set()


@IN_CORE
def test_what_everybody_imports_imports_no_stage(file: Path) -> None:
    if file.stem in SHARED:
        assert core_modules(file) <= SHARED


@IN_CORE
def test_clocks_environment_and_output_stay_outside_the_core(file: Path) -> None:
    assert roots(file) & FORBIDDEN_IN_CORE == set()
    called = {
        node.func.id
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & {"print", "input", "exec", "eval"} == set()


@pytest.mark.parametrize("name", ["frame", "markers", "messages"])
def test_messages_are_pure_functions_of_message_types_and_the_cores_records(name: str) -> None:
    file = PACKAGE / f"{name}.py"
    assert "rclpy" not in roots(file)
    assert core_modules(file) <= MESSAGES_CORE


@ALL
def test_nobody_imports_the_node(file: Path) -> None:
    assert {n for n in imports(file) if (n + ".").startswith("pose_ros.node.")} == set()


@ALL
def test_functions_are_short(file: Path) -> None:
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(file)}
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}


@ALL
def test_every_function_is_annotated(file: Path) -> None:
    bare = []
    for function in functions(file):
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        named = [a for a in arguments if a is not None and a.arg not in ("self", "cls")]
        if function.returns is None or any(a.annotation is None for a in named):
            bare.append(function.name)
    assert bare == []


def test_the_state_of_the_tracker_is_one_record() -> None:
    """A reset is one assignment: nothing else is set while images are tracked, but counters."""
    tracking = {"track", "_track", "_advance", "_find_roi", "_predict", "reset"}
    assigned = {
        target.attr
        for function in functions(CORE / "tracker.py")
        if function.name in tracking
        for node in ast.walk(function)
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }
    assert assigned <= {"_state", "_time_jumps"}
