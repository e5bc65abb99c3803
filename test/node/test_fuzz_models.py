"""Damaged models and manifests: each is rejected with a PoseError of one line.

Damaged files must not get past their hash. What onnxruntime would make of them is tested in a
process of its own, whose memory is bounded, because nothing but the hash stands before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import fuzzing
import onnx
import pytest
from fuzzing import Draw
from hypothesis import strategies as st

from pose_ros.blazepose import PoseTrackerOptions
from pose_ros.blazepose.errors import ModelFileError, PoseError
from pose_ros.blazepose.inference import OnnxModel
from pose_ros.blazepose.model_files import MANIFEST, model_path
from pose_ros.blazepose.models import MODELS

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
OPTIONS = PoseTrackerOptions()
ENTRIES = json.loads((MODELS_DIR / MANIFEST).read_text())
LITE, DETECTOR = MODELS["lite"].file, MODELS["lite"].detector.file
WEIGHTS = "lite.data"
FILES = (DETECTOR, LITE, WEIGHTS)
MAX_LOAD_S = 120.0
MAX_ADDRESS_SPACE = 4 * 2**30

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda item: st.lists(item, max_size=3) | st.dictionaries(st.text(max_size=8), item),
    max_leaves=5,
)
FILE_NAMES = (
    *("../secret", "/etc/passwd", "/dev/zero", "..", ".", "", "a/b", "a\0b", "a\nb", "\\x"),
    *("x" * 300, LITE, MANIFEST, "absent.data"),
)
HUGE_VARINTS = (b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x07", b"\x80" * 20)
HUGE_NUMBERS = (0, -1, 10**5, 2**31, 2**62, 2**63 - 1)


@st.composite
def damaged_bytes(draw: Draw, good: bytes) -> bytes:
    """A file that was cut, flipped, patched with huge varints, or replaced."""
    at: int = draw(st.integers(0, 3000) | st.integers(0, len(good) - 1))
    huge: bytes = draw(st.sampled_from(HUGE_VARINTS))
    kind = draw(st.sampled_from(("cut", "insert", "patch", "flip", "other")))
    if kind == "flip":
        return fuzzing.flip_bits(draw, good)
    if kind == "other":
        return bytes(draw(st.just(b"") | st.binary(max_size=300) | st.just(good[at:])))
    tail = {"cut": b"", "insert": huge + good[at:], "patch": huge + good[at + len(huge) :]}
    return good[:at] + tail[kind]


@st.composite
def damaged_graphs(draw: Draw, good: bytes) -> bytes:
    """A graph with absurd shapes, attributes and locations of its weights."""
    model = onnx.ModelProto.FromString(good)
    graph, number = model.graph, draw(st.sampled_from(HUGE_NUMBERS))
    kind = draw(st.sampled_from(("weights", "input", "attribute", "elsewhere")))
    weights = graph.initializer[draw(st.integers(0, len(graph.initializer) - 1))]
    if kind == "weights":
        weights.dims[:] = [number, *weights.dims[1:]]
    elif kind == "input":
        graph.input[0].type.tensor_type.shape.dim[2].dim_value = number
    elif kind == "elsewhere":
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        entry = {"location": draw(st.sampled_from(FILE_NAMES)), "length": str(number)}
        del weights.external_data[:]
        for key, value in entry.items():
            weights.external_data.add(key=key, value=value)
    else:
        nodes = [node for node in graph.node if any(item.ints for item in node.attribute)]
        node = nodes[draw(st.integers(0, len(nodes) - 1))]
        attribute = next(item for item in node.attribute if item.ints)
        attribute.ints[0] = number
    return bytes(model.SerializeToString())


@st.composite
def manifests(draw: Draw) -> bytes:
    """The text of a manifest: no JSON, another kind of JSON, or with one wrong entry."""
    changed: Any = json.loads(json.dumps({file: ENTRIES[file] for file in MODELS["lite"].files}))
    file = draw(st.sampled_from(sorted(changed)))
    hashes = st.sampled_from([entry["sha256"] for entry in ENTRIES.values()])
    values = hashes | hashes.map(str.upper) | json_values
    kind = draw(st.sampled_from(("entry", "sha256", "data_files", "name", "top", "text", "cut")))
    if kind == "entry":
        changed[file] = draw(json_values)
    elif kind in ("sha256", "data_files"):
        changed[file][kind] = draw(values)
    elif kind == "name":
        changed[file]["data_files"] = {draw(st.sampled_from(FILE_NAMES)): draw(values)}
    elif kind == "top":
        changed = draw(json_values)
    text = json.dumps(changed).encode()
    if kind == "text":
        return bytes(draw(st.binary(max_size=40) | st.sampled_from((b"[" * 100_000, b"1" * 5000))))
    return text[: draw(st.integers(0, len(text)))] if kind == "cut" else text


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with copies of some models, to be damaged."""
    return copied(tmp_path)


def copied(folder: Path) -> Path:
    for file in (*MODELS["lite"].files, WEIGHTS, MANIFEST):
        shutil.copy(MODELS_DIR / file, folder / file)
    return folder


def assert_one_line(error: PoseError) -> None:
    assert type(error) is not PoseError
    fuzzing.assert_is_one_line(str(error))


def check_all(models_dir: Path) -> None:
    """Hash all files of a model."""
    for file in MODELS["lite"].files:
        model_path(file, models_dir)


def test_every_manifest_is_good_or_rejected_with_a_reason(
    models_dir: Path, fuzz_seed: int
) -> None:
    outcomes: Counter[bool] = Counter()

    def check(text: bytes) -> None:
        (models_dir / MANIFEST).write_bytes(text)
        start_s = time.perf_counter()
        try:
            check_all(models_dir)
        except ModelFileError as error:
            assert_one_line(error)
            outcomes[False] += 1
        else:
            outcomes[True] += 1
            written = json.loads(text)
            for file in MODELS["lite"].files:
                assert written[file]["sha256"] == ENTRIES[file]["sha256"]
        assert time.perf_counter() - start_s < MAX_LOAD_S

    fuzzing.draw_each(200, fuzz_seed, check, manifests())
    assert outcomes[False] > 100


@pytest.mark.parametrize("file", FILES)
def test_no_damaged_file_gets_past_its_hash(models_dir: Path, file: str, fuzz_seed: int) -> None:
    good = (MODELS_DIR / file).read_bytes()

    def check(content: bytes) -> None:
        (models_dir / file).write_bytes(content)
        if content == good:
            check_all(models_dir)
            return
        with pytest.raises(ModelFileError, match="is damaged or was replaced") as rejected:
            check_all(models_dir)
        assert_one_line(rejected.value)

    fuzzing.draw_each(40, fuzz_seed, check, damaged_bytes(good))


def load_vouched(folder: Path, file: str, content: bytes) -> str:
    """Load a graph of which a file has this content, with a manifest that vouches for it."""
    (folder / file).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    graph = LITE if file == WEIGHTS else file
    entry = dict(ENTRIES[graph])
    entry |= {"sha256": sha256} if graph == file else {"data_files": {file: sha256}}
    (folder / MANIFEST).write_text(json.dumps({graph: entry}))
    inputs, outputs = (
        {name: tuple(shape) for name, shape in ENTRIES[graph][kind].items()}
        for kind in ("inputs", "outputs")
    )
    try:
        OnnxModel(graph, inputs, outputs, OPTIONS, folder)
    except PoseError as error:
        text = str(error)
        assert text.isprintable(), repr(text)
        return type(error).__name__
    return "loaded"


def load_damaged(file: str, start: int, number: int) -> None:
    """Load a file in as many damaged forms; run in a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    good = (MODELS_DIR / file).read_bytes()
    damaged = damaged_bytes(good)
    if file != WEIGHTS:
        damaged |= damaged_graphs(good)
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))

        def check(content: bytes) -> None:
            nonlocal slowest_s
            start_s = time.perf_counter()
            outcomes[load_vouched(folder, file, content)] += 1
            slowest_s = max(slowest_s, time.perf_counter() - start_s)

        fuzzing.draw_each(number, start, check, damaged)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert slowest_s < MAX_LOAD_S
    print(f"{file}: {dict(outcomes)}, slowest {slowest_s:.2f} s, peak memory {peak_mib} MiB")


@pytest.mark.parametrize("file", FILES)
def test_onnxruntime_neither_ends_nor_fills_the_process_where_a_hash_vouches_for_damage(
    file: str, fuzz_seed: int
) -> None:
    code = f"import {__name__} as t; t.load_damaged({file!r}, {fuzz_seed}, 40)"
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    print(child.stdout)
    assert child.returncode == 0, child.stderr
    assert "ModelFileError" in child.stdout
