"""Nobody gets in: what the node loads and executes, and what it needs from the middleware."""

from __future__ import annotations

import ast
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
import onnxruntime
import pytest
import running
from onnx import TensorProto, helper
from running import Client

from pose_ros.blazepose.errors import ModelFileError, OptionError
from pose_ros.blazepose.inference import OnnxModel
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import PoseTrackerOptions

PACKAGE = running.ROOT / "pose_ros"
MODELS_DIR = running.ROOT / "models"
POLICY = running.ROOT / "config" / "pose.policy.xml"

# What is executed and loaded

# Whoever runs a program on purpose: the tools that start the node, or themselves, as processes.
STARTS_PROGRAMS = {"tools/benchmark.py", "tools/children.py"}
# What opens sockets, to see whether a port is free.
OPENS_SOCKETS = {"tools/domains.py"}
# Modules that execute what they read, or bring it from elsewhere.
DANGEROUS_MODULES = {
    *("code", "codeop", "ctypes", "dill", "importlib", "joblib", "marshal", "multiprocessing"),
    *("pickle", "pty", "runpy", "shelve", "shutil", "socket", "subprocess", "tempfile"),
    *("urllib", "http", "ftplib", "xmlrpc", "zipimport"),
}
HARMLESS_PARTS = {"importlib.metadata", "importlib.machinery.EXTENSION_SUFFIXES"}
# Functions, by their last name, that execute a text, load code, or unpack objects.
DANGEROUS_CALLS = {
    *("eval", "exec", "compile", "__import__", "import_module", "breakpoint"),
    *("system", "popen", "execv", "execve", "execvp", "spawnv", "posix_spawn", "startfile"),
    *("unsafe_load", "full_load", "load_all", "add_constructor"),
    *("register_custom_ops_library", "add_provider_options", "CDLL", "dlopen"),
}
# What loads compiled code: the library that was built with the package, beside its sources.
LOADS_CODE = {"native/library.py", "runtime/exit_limit.py", "runtime/memory.py"}
# What opens files, in the node: the models only, and what ROS and OpenCV do by themselves.
# Files in /dev/shm that would block the node are deleted.
OPENS_FILES = {
    "blazepose/model_files.py": {"open"},
    "native/onnx_file.py": {"read_bytes", "open"},
    "runtime/shared_memory.py": {"unlink"},
}
FILE_CALLS = {
    *("open", "read_bytes", "read_text", "write_bytes", "write_text", "unlink", "fromfile"),
    *("imread", "imwrite", "VideoCapture", "VideoWriter", "FileStorage", "load", "memmap"),
}


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(file: Path) -> set[str]:
    names = set()
    for item in ast.walk(parse(file)):
        if isinstance(item, ast.Import):
            names |= {alias.name for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            names |= {f"{item.module}.{alias.name}" for alias in item.names}
    return names


def dangerous(names: set[str]) -> set[str]:
    suspects = {name for name in names if name.partition(".")[0] in DANGEROUS_MODULES}
    return suspects - HARMLESS_PARTS


def called(file: Path) -> set[str]:
    """The last names of all functions that a file calls."""
    functions = [item.func for item in ast.walk(parse(file)) if isinstance(item, ast.Call)]
    names = [item.id for item in functions if isinstance(item, ast.Name)]
    return {*names, *(item.attr for item in functions if isinstance(item, ast.Attribute))}


def of_the_node() -> set[Path]:
    """The package's files that the node imports, directly or through others."""
    found, new = set(), {PACKAGE / "node.py"}
    while new:
        found |= new
        names = {name for file in new for name in imported(file) if name.startswith("pose_ros")}
        new = {path for name in names for path in files_of(name)} - found
    return found


def files_of(name: str) -> Iterator[Path]:
    """The files that an imported name can come from: a module, or the module that it is in."""
    path = running.ROOT / name.replace(".", "/")
    for stem in (path, path.parent):
        candidates = (stem.with_suffix(".py"), stem / "__init__.py")
        yield from (file for file in candidates if file.is_file())


FILES = sorted(PACKAGE.rglob("*.py"))
NODE_FILES = sorted(of_the_node())


def relative(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def test_the_files_of_the_node_are_found() -> None:
    names = {relative(file) for file in NODE_FILES}
    assert {"node.py", "inputs/images.py", "blazepose/inference.py"} <= names
    assert not any(name.startswith("tools/") and name != "tools/__init__.py" for name in names)
    assert len(names) > 25


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_nothing_executes_a_text_or_unpacks_objects(file: Path) -> None:
    calls = called(file) & DANGEROUS_CALLS - {"compile" if "re" in imported(file) else ""}
    assert calls == ({"CDLL"} if relative(file) in LOADS_CODE else set())
    allowed = {"subprocess", "tempfile", "shutil"} if relative(file) in STARTS_PROGRAMS else set()
    allowed |= {"socket"} if relative(file) in OPENS_SOCKETS else set()
    found = {name.partition(".")[0] for name in dangerous(imported(file))}
    assert found - allowed - tools_only(file) == native_only(file)


def native_only(file: Path) -> set[str]:
    return {"ctypes"} if relative(file) in LOADS_CODE else set()


def tools_only(file: Path) -> set[str]:
    """What a command line tool may use besides: temporary folders of its own."""
    return {"tempfile", "shutil"} if file.parent.name == "tools" else set()


@pytest.mark.parametrize("file", NODE_FILES, ids=relative)
def test_the_node_starts_no_program_and_opens_no_file_but_models(file: Path) -> None:
    assert dangerous(imported(file)) == native_only(file)
    opened = called(file) & FILE_CALLS
    assert opened == OPENS_FILES.get(relative(file), set())


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_modules_are_imported_by_fixed_names_and_yaml_is_read_safely(file: Path) -> None:
    for item in ast.walk(parse(file)):
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
            assert (item.value.id, item.attr) not in {("yaml", "load"), ("np", "load")}
        if isinstance(item, ast.keyword):
            assert item.arg not in ("allow_pickle", "shell")


# Weights outside of the models folder

NETWORK = "network.onnx"
WEIGHTS = np.array([1, 2, 3, 4], np.float32)
SHAPES = {"image": (4,)}, {"sum": (4,)}
UNVERIFIED = PoseTrackerOptions(allow_unverified_models=True)
CONFINES = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 24)
needs_confinement = pytest.mark.skipif(
    not CONFINES, reason=f"onnxruntime {onnxruntime.__version__} lets weights lie anywhere"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder, with weights in it and beside it, and links that lead out."""
    made = tmp_path / "models"
    (made / "sub").mkdir(parents=True)
    (made / "inside.data").write_bytes(WEIGHTS.tobytes())
    (tmp_path / "outside.data").write_bytes(WEIGHTS.tobytes())
    (made / "link.data").symlink_to(tmp_path / "outside.data")
    (made / "link").symlink_to(tmp_path)
    return made


def write_network(folder: Path, location: str, in_constant: bool = False) -> None:
    """Write a network that adds weights from a file to its input."""
    weights = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("image", "sum")
    ]
    constants = [helper.make_node("Constant", [], ["weights"], value=weights)]
    graph = helper.make_graph(
        [*constants[: int(in_constant)], helper.make_node("Add", ["image", "weights"], ["sum"])],
        "network",
        ends[:1],
        ends[1:],
        [] if in_constant else [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / NETWORK).write_bytes(model.SerializeToString())


@needs_confinement
@pytest.mark.parametrize("in_constant", [False, True])
def test_weights_in_the_folder_are_loaded(folder: Path, in_constant: bool) -> None:
    write_network(folder, "inside.data", in_constant)
    (result,) = OnnxModel(NETWORK, *SHAPES, UNVERIFIED, folder).run(np.ones(4, np.float32))
    assert result.tolist() == [2, 3, 4, 5]


@needs_confinement
@pytest.mark.parametrize("in_constant", [False, True])
@pytest.mark.parametrize(
    "location",
    ["../outside.data", "sub/../../outside.data", "absolute", "link.data", "link/outside.data"],
)
def test_weights_outside_of_the_folder_are_rejected(
    folder: Path, location: str, in_constant: bool
) -> None:
    outside = str(folder.parent / "outside.data")
    write_network(folder, outside if location == "absolute" else location, in_constant)
    with pytest.raises(ModelFileError, match=r"onnxruntime cannot load .*network\.onnx"):
        OnnxModel(NETWORK, *SHAPES, UNVERIFIED, folder)


@pytest.mark.parametrize("version", ["1.15.0", "1.23.2", "1.24.1", "2.0.0", "1.24.0rc1"])
def test_an_onnxruntime_that_loads_weights_from_anywhere_loads_checked_models_only(
    folder: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_network(folder, "inside.data")
    monkeypatch.setattr(onnxruntime, "__version__", version)
    if version in ("1.15.0", "1.23.2"):
        with pytest.raises(OptionError, match=f"allowed is False with onnxruntime {version}"):
            OnnxModel(NETWORK, *SHAPES, UNVERIFIED, folder)
    else:
        OnnxModel(NETWORK, *SHAPES, UNVERIFIED, folder)


@needs_confinement
def test_node_runs_unverified_models_and_says_so(tmp_path: Path) -> None:
    for file in MODELS["upper_body"].files:
        network = onnx.load(MODELS_DIR / file)
        network.doc_string = "not the file that was published"
        onnx.save(network, tmp_path / file)
    settings = running.parameters(models_dir=tmp_path, allow_unverified_models=True)
    with running.node_and_client(*settings) as client:
        landmarks = client.landmarks(running.image(running.person()[0]))
        assert len(landmarks.points) == 1
        assert client.process.lines("allow_unverified_models is true: no model file is checked")
        assert not client.set(allow_unverified_models=False).successful


def test_without_being_allowed_to_the_node_runs_no_unverified_models(tmp_path: Path) -> None:
    for file in MODELS["upper_body"].files:
        shutil.copy(MODELS_DIR / file, tmp_path)
    with running.node_process(*running.parameters(models_dir=tmp_path)) as process:
        assert process.wait() == 1
        assert process.lines(f"model manifest {tmp_path / MANIFEST} cannot be read")


# What the node needs from the middleware

KINDS = {
    ("topics", "publish"): "get_publisher_names_and_types_by_node",
    ("topics", "subscribe"): "get_subscriber_names_and_types_by_node",
    ("services", "reply"): "get_service_names_and_types_by_node",
    ("services", "request"): "get_client_names_and_types_by_node",
}
Graph = dict[tuple[str, str], set[str]]
PROFILE = ElementTree.parse(POLICY).getroot().findall("./enclaves/enclave/profiles/profile")[0]


def granted(namespace: str, node: str, without: set[str]) -> Graph:
    """The full names that the policy allows a node so named, but for some of them."""
    allowed: Graph = {kind: set() for kind in KINDS}
    for group in PROFILE:
        ((action, word),) = group.attrib.items()
        assert word == "ALLOW"
        names = {item.text or "" for item in group if item.text not in without}
        allowed[group.tag, action] |= {full_name(name, namespace, node) for name in names}
    return allowed


def full_name(name: str, namespace: str, node: str) -> str:
    prefix = namespace.rstrip("/")
    if name.startswith("~/"):
        return f"{prefix}/{node}/{name[2:]}"
    return name if name.startswith("/") else f"{prefix}/{name}"


def graph(client: Client, namespace: str, node: str) -> Graph:
    """What the running node has made, as the middleware lists it."""
    if (node, namespace) not in client.node.get_node_names_and_namespaces():
        return {kind: set() for kind in KINDS}
    return {
        kind: {name for name, _ in getattr(client.node, query)(node, namespace)}
        for kind, query in KINDS.items()
    }


def differences(found: Graph, allowed: Graph) -> list[str]:
    """What to change in the policy, in words."""
    return [
        f"{verb} in {POLICY.name}, {kind} {action}: {', '.join(sorted(names))}"
        for kind, action in KINDS
        for verb, names in (
            ("add", found[kind, action] - allowed[kind, action]),
            ("remove", allowed[kind, action] - found[kind, action]),
        )
        if names
    ]


# by tf2_ros and with hri_msgs, which are not on PyPI
ELSEWHERE = ("/tf", "/tf_static", "/humans/bodies/tracked")


@pytest.mark.parametrize(
    ("namespace", "name", "settings", "unused"),
    [
        ("/", "pose", {}, {"image/compressed", "/clock", "detections", *ELSEWHERE}),
        (
            "/robot",
            "eyes",
            {"image_transport": "compressed", "use_sim_time": True},
            {"image", "detections", *ELSEWHERE},
        ),
    ],
)
def test_policy_allows_what_the_running_node_uses_and_no_more(
    namespace: str, name: str, settings: dict[str, Any], unused: set[str]
) -> None:
    names = ("-r", f"__ns:={namespace}", "-r", f"__node:={name}")
    allowed = granted(namespace, name, without=unused)
    client_options = {"name": full_name(name, namespace, "")}
    with running.node_and_client(
        *names, *running.parameters(**settings), **client_options
    ) as client:
        client.process.wait_for_line("waiting for images")
        client.subscribe("landmarks")  # depth is received for them
        with contextlib.suppress(AssertionError):  # what is still missing then is reported below
            client.until(lambda: not differences(graph(client, namespace, name), allowed), "")
        client.spin(1.0)  # whatever is found late
        changes = differences(graph(client, namespace, name), allowed)
        assert not changes, "; ".join(changes)


def test_policy_names_everything_once_and_without_wildcards() -> None:
    groups = [[item.text or "" for item in group] for group in PROFILE]
    assert all(len(names) == len(set(names)) for names in groups)
    names = [name for group in groups for name in group]
    assert len(names) > 20
    assert not any(set(name) & set("*?[") for name in names)


def test_the_node_leaves_no_record_of_its_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer onnxruntime versions would keep one below the home folder, to be sent away."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    with running.node_and_client() as client:
        client.landmarks(running.image(running.black()))
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("has_enclave", [False, True])
def test_enforced_security_without_keys_means_no_node(
    tmp_path: Path, has_enclave: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with one line; above all it doesn't run in the open."""
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    if has_enclave:
        (tmp_path / "enclaves" / "pose").mkdir(parents=True)
    with running.node_process("--enclave", "/pose") as process:
        assert process.wait() == 1
        assert "Traceback" not in process.output
        assert process.lines("ROS cannot make the node: " if has_enclave else "ROS cannot start: ")
