"""The engine gives what onnxruntime gives, and what it cannot run is a ValueError."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import media
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from pose_ros.blazepose.crop import Cropper
from pose_ros.blazepose.datatypes import Roi, size_of
from pose_ros.native.engine import Engine, engine_isa
from pose_ros.native.library import NativeLibrary, native_library
from pose_ros.native.onnx_file import Graph, Node, read_onnx

MODELS = Path(__file__).resolve().parents[2] / "models"
FILES = "lite.onnx", "full.onnx", "heavy.onnx", "upper_body.onnx"
pytestmark = pytest.mark.filterwarnings("error")
FRAMES = 3
# in crop px, 1, logits and meters
TOLERANCES = {"landmarks": 5e-3, "presence": 1e-4, "heatmap": 2e-3, "world": 1e-4}

Array = npt.NDArray[np.float32]


@cache
def library() -> NativeLibrary:
    """Load the library of the package, or another build of it that the environment names."""
    file = os.environ.get("POSE_ROS_NATIVE_LIBRARY")
    found = NativeLibrary(Path(file)) if file else native_library()
    if found is None or engine_isa(found) is None:
        pytest.skip("the library was not built, or has no engine for this processor")
    return found


@cache
def widths() -> list[int]:
    """Give the floats of each kind of vector that this processor has."""
    return sorted({library().engine_lanes(most) for most in (4, 8, 16)} - {0})


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


def tensors() -> list[Array]:
    """Crop a person, turned and of several sizes, and noise."""
    found = []
    for index, image in enumerate(islice(media.frames("person"), FRAMES)):
        roi = Roi(np.array((200.0, 300.0)), 500.0 + 70 * index, 0.5 * index)
        found.append(Cropper(256).crop(image, roi.normalized(size_of(image))).tensor.copy())
    return [*found, np.random.default_rng(1).random((1, 3, 256, 256), np.float32)]


@pytest.mark.parametrize("file", FILES)
def test_a_model_gives_what_it_gives_in_onnxruntime(file: str) -> None:
    graph, reference = read_onnx(MODELS / file), session(MODELS / file)
    names = list(graph.outputs)
    for width in widths():
        engine = Engine(library(), graph, names, width)
        for tensor in tensors()[:FRAMES]:
            expected = reference.run(names, {"image": tensor})
            for name, one, other in zip(names, engine.run(tensor), expected, strict=True):
                np.testing.assert_allclose(one, other, atol=TOLERANCES[name], rtol=0)


def test_outputs_come_in_the_order_in_which_they_are_asked_for() -> None:
    graph, tensor = read_onnx(MODELS / "lite.onnx"), tensors()[0]
    both = Engine(library(), graph, ["world", "presence"]).run(tensor)
    (one,) = Engine(library(), graph, ["presence"]).run(tensor)
    assert [output.shape for output in both] == [(1, 117), (1, 1)]
    assert np.array_equal(both[1], one)


def test_threads_at_once_get_what_one_gets() -> None:
    engine = Engine(library(), read_onnx(MODELS / "lite.onnx"), ["landmarks", "heatmap"])
    given_tensors = tensors() * 4
    expected = [engine.run(tensor) for tensor in given_tensors]
    with ThreadPoolExecutor(3) as pool:
        for found, outputs in zip(pool.map(engine.run, given_tensors), expected, strict=True):
            assert all(map(np.array_equal, found, outputs))


def test_results_outlive_the_next_run() -> None:
    engine = Engine(library(), read_onnx(MODELS / "lite.onnx"), ["heatmap"])
    one, other, *_ = tensors()
    (first,) = engine.run(one)
    before = first.copy()
    engine.run(other)
    assert np.array_equal(first, before)


@pytest.mark.parametrize(
    "tensor",
    [np.zeros((1, 3, 256, 255), np.float32), np.zeros((1, 3, 256, 256)), np.zeros(3, np.float32)],
)
def test_a_tensor_of_another_shape_or_type_is_rejected(tensor: Array) -> None:
    engine = Engine(library(), read_onnx(MODELS / "lite.onnx"), ["presence"])
    with pytest.raises(ValueError, match="allowed is"):
        engine.run(tensor)


def test_without_kernels_for_the_processor_there_is_no_engine() -> None:
    with pytest.raises(ValueError, match="AVX2"):
        Engine(library(), read_onnx(MODELS / "lite.onnx"), ["presence"], 3)


class Builder:
    """Makes ONNX graphs, with the shapes (channels, height, width) of what is in them."""

    def __init__(self, seed: int, height: int, width: int) -> None:
        self.random, self.numbers = Random(seed), np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, npt.NDArray[np.generic]] = {}
        self.shapes = {"image": (3, height, width)}

    def add(self, kind: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.shapes[name] = shape[0], shape[1], shape[2]
        return name

    def constant(self, array: npt.NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def conv(
        self,
        of: str,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        pads: tuple[int, int] = (0, 0),
    ) -> str:
        """Add a dense convolution, or one of each channel if `outputs` is 0."""
        channels, *sides = self.shapes[of]
        group, inputs = (1, channels) if outputs else (channels, 1)
        outputs = outputs or channels
        size = outputs, inputs, kernel, kernel
        weights = self.numbers.normal(0, 1 / np.sqrt(inputs * kernel**2), size).astype(np.float32)
        bias = self.numbers.normal(0, 1, outputs).astype(np.float32)
        names = [of, self.constant(weights), *([self.constant(bias)] if bias[0] > -1 else [])]
        before, after = pads
        height, width = ((side + sum(pads) - kernel) // stride + 1 for side in sides)
        form = {"strides": [stride] * 2, "pads": [before, before, after, after], "group": group}
        return self.add("Conv", names, (outputs, height, width), kernel_shape=[kernel] * 2, **form)

    def clip(self, of: str) -> str:
        if self.random.random() < 0.3:
            return of
        if self.random.random() < 0.5:
            return self.add("Relu", [of], self.shapes[of])
        limits = [self.constant(np.array(limit, np.float32)) for limit in (-0.3, 0.8)]
        return self.add("Clip", [of, *limits], self.shapes[of])

    def total(self, one: str, other: str) -> str:
        pair = [one, other]
        self.random.shuffle(pair)
        return self.clip(self.add("Add", pair, self.shapes[one]))

    def depthwise(self, of: str) -> str:
        kernel, stride = self.random.choice((3, 5)), self.random.choice((1, 2))
        pads = self.random.choice([(kernel // 2, kernel // 2), (0, kernel // 2), (1, kernel - 1)])
        if min(self.shapes[of][1:]) + sum(pads) < kernel:
            return of
        return self.clip(self.conv(of, 0, kernel, stride, pads))

    def bottleneck(self, of: str) -> str:
        wide = self.clip(self.conv(of, self.random.randint(1, 90)))
        made = self.conv(self.depthwise(wide), self.shapes[of][0])
        if self.shapes[made] != self.shapes[of]:
            return self.clip(made)
        return self.total(made if self.random.random() < 0.7 else self.clip(made), of)

    def pool(self, of: str) -> str:
        channels, height, width = self.shapes[of]
        if min(height, width) < 2:
            return of
        half = channels, height // 2, width // 2
        pooled = self.add("MaxPool", [of], half, kernel_shape=[2, 2], strides=[2, 2])
        return self.clip(self.conv(pooled, self.random.randint(1, 40)))

    def upsample(self, of: str) -> str:
        channels, height, width = self.shapes[of]
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        way = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        twice = channels, 2 * height, 2 * width
        made = self.add("Resize", [of, "", scales], twice, **way)
        return self.total(made, self.clip(self.conv(made, channels)))

    def whole(self, of: str) -> str:
        _, height, width = self.shapes[of]
        if height != width:
            return of
        made = self.conv(of, self.random.randint(1, 40), height)
        return self.add("Sigmoid", [made], self.shapes[made])

    def save(self, file: Path, outputs: list[str]) -> Graph:
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *self.shapes[name]])
            for name in ("image", *outputs)
        ]
        constants = [numpy_helper.from_array(*pair[::-1]) for pair in self.constants.items()]
        graph = helper.make_graph(self.nodes, "g", values[:1], values[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        file.write_bytes(model.SerializeToString())
        return read_onnx(file)


def compare(builder: Builder, outputs: list[str], folder: Path) -> None:
    file = folder / "graph.onnx"
    graph = builder.save(file, outputs)
    tensor = builder.numbers.random((1, *builder.shapes["image"]), np.float32)
    expected = session(file).run(outputs, {"image": tensor})
    for width in widths():
        engine = Engine(library(), graph, outputs, width)
        for _ in range(2):  # the second time in memory that is used already
            found = engine.run(tensor)
            assert [output.shape for output in found] == [output.shape for output in expected]
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@given(st.integers(0, 2**32 - 1), st.integers(5, 70), st.integers(5, 70))
def test_random_networks_give_what_they_give_in_onnxruntime(
    folder: Path, seed: int, height: int, width: int
) -> None:
    builder = Builder(seed, height, width)
    random = builder.random
    kernel = random.choice((1, 3, 5))
    before = random.randint(0, kernel // 2)
    made = builder.conv("image", random.randint(1, 40), kernel, 2, (before, kernel // 2))
    parts: list[Callable[[str], str]] = [
        *(builder.bottleneck, builder.bottleneck, builder.pool, builder.upsample),
        builder.depthwise,
    ]
    outputs = []
    for _ in range(random.randint(1, 6)):
        made = random.choice(parts)(made)
        outputs += [made] * (random.random() < 0.2 and made not in outputs)
    last = builder.whole(made)
    compare(builder, outputs if last in outputs else [*outputs, last], folder)


@pytest.mark.parametrize("kind", ["bottleneck", "depthwise", "pool", "upsample", "whole"])
@pytest.mark.parametrize("side", [2, 4, 6, 16, 26])
def test_each_kind_of_operation_gives_what_it_gives_in_onnxruntime(
    kind: str, side: int, tmp_path: Path
) -> None:
    for seed in range(5):
        builder = Builder(seed, side, side)
        made = builder.conv("image", 20 + seed, 3, 2, (1, 1))
        compare(builder, [getattr(builder, kind)(made)], tmp_path)


def small() -> Builder:
    builder = Builder(1, 20, 20)
    builder.conv("image", 8, 3, 2, (1, 1))
    return builder


def with_node(kind: str, inputs: list[str], **attributes: Any) -> Callable[[Builder], str]:
    def change(builder: Builder) -> str:
        builder.constants["one"] = np.ones((8, 8, 3, 3), np.float32)
        builder.constants["three"] = np.array([1, 1, 3, 3], np.float32)
        builder.constants["shape"] = np.array([1, -1])
        return builder.add(kind, inputs, (8, 10, 10), **attributes)

    return change


UNSUPPORTED: dict[str, Callable[[Builder], str]] = {
    "another kind": with_node("Softmax", ["v0"]),
    "a wide dense kernel": with_node("Conv", ["v0", "one"], pads=[1, 1, 1, 1]),
    "a depthwise kernel of 4": lambda builder: builder.conv("v0", 0, 4),
    "a depthwise stride of 3": lambda builder: builder.conv("v0", 0, 3, 3),
    "weights that are no constant": with_node("Conv", ["v0", "v0"]),
    "weights for other channels": with_node("Conv", ["image", "one"]),
    "dilations": with_node("Conv", ["v0", "one"], dilations=[2, 2]),
    "padding by name": with_node("Conv", ["v0", "one"], auto_pad="SAME_UPPER"),
    "a stride of 1 on the image": lambda builder: builder.conv("image", 8),
    "the image twice": lambda builder: builder.total("v0", builder.conv("image", 8, 3, 2, (1, 1))),
    "a clip of a pool": lambda builder: builder.add("Relu", [builder.pool("v0")], (8, 5, 5)),
    "a sum of the same": with_node("Add", ["v0", "v0"]),
    "a sum with a constant": with_node("Add", ["v0", "one"]),
    "a sum with what is not there": with_node("Add", ["v0", "nothing"]),
    "a sum of other shapes": lambda builder: builder.total("v0", builder.pool("v0")),
    "three times as large": with_node("Resize", ["v0", "", "three"], mode="linear"),
    "a pool of 3": with_node("MaxPool", ["v0"], kernel_shape=[3, 3], strides=[2, 2]),
    "a pool of nothing": with_node("MaxPool", []),
    "a sigmoid of a sigmoid": lambda builder: with_node(
        "Sigmoid", [with_node("Sigmoid", ["v0"])(builder)]
    )(builder),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_the_engine_cannot_run_is_an_error(name: str, tmp_path: Path) -> None:
    builder = small()
    output = UNSUPPORTED[name](builder)
    if name == "a clip of a pool":
        builder.nodes.pop(-2)
    graph = builder.save(tmp_path / "graph.onnx", [output])
    with pytest.raises(ValueError, match=r"engine has no|does not make"):
        Engine(library(), graph, [output])


@pytest.mark.parametrize(
    ("inputs", "outputs", "asked"),
    [
        ({}, {"v": (1, 1)}, "v"),
        ({"image": (1, 3, 8, 8), "more": (1,)}, {"v": (1, 1)}, "v"),
        ({"image": (2, 3, 8, 8)}, {"v": (1, 1)}, "v"),
        ({"image": (1, 3, 0, 8)}, {"v": (1, 1)}, "v"),
        ({"image": (1, 3, 8, 8)}, {"v": (1, 1)}, "w"),
        ({"image": (1, 3, 8, 8)}, {"v": (1, 1)}, "v"),
    ],
)
def test_a_graph_without_the_right_ends_is_an_error(
    inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]], asked: str
) -> None:
    nodes = Node("Relu", ("image",), ("x",), {}), Node("Relu", (), (), {})
    with pytest.raises(ValueError, match=r"input|unpack|make"):
        Engine(library(), Graph(nodes, {}, inputs, outputs), [asked])
