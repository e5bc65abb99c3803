"""ONNX files are read as the onnx package reads them, and damaged ones are rejected."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pose_ros.native.onnx_file import Graph, read_onnx

MODELS = Path(__file__).resolve().parents[2] / "models"
FILES = sorted(path.name for path in MODELS.glob("*.onnx"))
WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@cache
def small() -> bytes:
    """A model of each form that can be read, weights in small.data."""
    half = numpy_helper.from_array(WEIGHTS.astype(np.float16), "half")
    single = numpy_helper.from_array(WEIGHTS, "single")
    outside = helper.make_tensor("outside", TensorProto.FLOAT, [0], [])
    outside.dims[:] = [2, 3]
    outside.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "small.data", "offset": "8", "length": "24"}.items():
        outside.external_data.add(key=key, value=value)
    sizes = numpy_helper.from_array(np.array([-1, 3]), "sizes")
    nodes = [
        helper.make_node("Conv", ["image", "half"], ["a"], pads=[0, -1], group=1, auto_pad="SAME"),
        helper.make_node("Conv", ["a", ""], ["result"], domain="other"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, "side", 4])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [image], [result], [half, single, outside, sizes])
    data: bytes = helper.make_model(graph).SerializeToString()
    return data


def read(folder: Path, content: bytes) -> Graph:
    file = folder / "small.onnx"
    file.write_bytes(content)
    (folder / "small.data").write_bytes(bytes(8) + WEIGHTS.tobytes())
    return read_onnx(file)


@pytest.mark.parametrize("file", FILES)
def test_a_model_is_what_the_onnx_package_reads(file: str) -> None:
    expected, found = onnx.load(MODELS / file).graph, read_onnx(MODELS / file)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in expected.initializer}
    assert list(found.constants) == list(constants)
    for name, array in constants.items():
        assert found.constants[name].dtype == array.dtype
        np.testing.assert_array_equal(found.constants[name], array)
    assert [(node.kind, node.inputs, node.outputs) for node in found.nodes] == [
        (node.op_type, tuple(node.input), tuple(node.output)) for node in expected.node
    ]
    for node, same in zip(found.nodes, expected.node, strict=True):
        assert node.attributes == {item.name: value_of(item) for item in same.attribute}
    for shapes, values in (found.inputs, expected.input), (found.outputs, expected.output):
        assert shapes == {
            value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
            for value in values
        }


def value_of(attribute: onnx.AttributeProto) -> object:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, int) else tuple(value)


def test_each_form_of_a_constant_is_read(tmp_path: Path) -> None:
    graph = read(tmp_path, small())
    assert list(graph.constants) == ["half", "single", "outside", "sizes"]
    for name in ("half", "single", "outside"):
        np.testing.assert_array_equal(graph.constants[name], WEIGHTS)
    assert graph.constants["sizes"].tolist() == [-1, 3]


def test_nodes_and_shapes_are_read(tmp_path: Path) -> None:
    graph = read(tmp_path, small())
    assert [node.kind for node in graph.nodes] == ["Conv", "otherConv"]
    assert graph.nodes[0].attributes == {"pads": (0, -1), "group": 1, "auto_pad": "SAME"}
    assert graph.nodes[1].inputs == ("a", "")
    assert dict(graph.inputs) == {"image": (1, 0, 4)}
    assert dict(graph.outputs) == {"result": ()}


@given(st.data())
def test_a_damaged_file_is_an_error_of_one_kind(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(small())
    positions = st.integers(0, len(content) - 1)
    for at in data.draw(st.lists(positions, min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | positions)
    try:
        graph = read(tmp_path_factory.getbasetemp(), bytes(content[:end]))
    except ValueError:
        return
    assert isinstance(graph, Graph)


def test_no_file_that_ends_too_early_is_taken_for_a_model(tmp_path: Path) -> None:
    """The graph is all but the last fields, so an end before those leaves it incomplete."""
    content = small()
    end = onnx.load_from_string(content).graph.ByteSize()
    for size in range(end):
        with pytest.raises(ValueError, match=r".+"):
            read(tmp_path, content[:size])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("location", "../outside.data"),
        ("location", "/etc/hostname"),
        ("location", "link.data"),
        ("location", "ring.data"),
        ("location", "missing.data"),
        ("location", "."),
        ("location", "x\0y"),
        ("location", "n" * 5000),
        ("offset", "9"),
        ("offset", "-1"),
        ("offset", "9" * 40),
        ("offset", "9" * 5000),
        ("length", "-24"),
        ("length", "none"),
    ],
)
def test_weights_that_are_not_in_the_folder_are_rejected(
    tmp_path: Path, key: str, value: str
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "outside.data").write_bytes(bytes(32))
    (folder / "link.data").symlink_to(tmp_path / "outside.data")
    (folder / "ring.data").symlink_to("ring.data")
    model = onnx.load_from_string(small())
    (entry,) = (item for item in model.graph.initializer[2].external_data if item.key == key)
    entry.value = value
    with pytest.raises(ValueError, match=r".+"):
        read(folder, model.SerializeToString())


def test_weights_are_found_through_links_to_the_folder(tmp_path: Path) -> None:
    """An installation may be made of links."""
    real, linked = tmp_path / "real", tmp_path / "linked"
    real.mkdir()
    linked.mkdir()
    read(real, small())
    (linked / "small.onnx").symlink_to(real / "small.onnx")
    assert "outside" in read_onnx(linked / "small.onnx").constants


def test_no_more_of_a_file_is_read_than_is_needed(tmp_path: Path) -> None:
    """A file with holes may be longer than the memory."""
    read(tmp_path, small())
    with (tmp_path / "small.data").open("r+b") as weights:
        weights.truncate(2**40)
    assert "outside" in read_onnx(tmp_path / "small.onnx").constants


@pytest.mark.parametrize(("value", "problem"), [(0.5, "form 5"), (["a", "b"], "kind 8")])
def test_an_attribute_that_is_not_supported_is_rejected(
    tmp_path: Path, value: object, problem: str
) -> None:
    model = onnx.load_from_string(small())
    model.graph.node[0].attribute.append(helper.make_attribute("other", value))
    with pytest.raises(ValueError, match=problem):
        read(tmp_path, model.SerializeToString())


def test_constants_of_another_type_are_rejected(tmp_path: Path) -> None:
    model = onnx.load_from_string(small())
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(2), "double"))
    with pytest.raises(ValueError, match="kind 11"):
        read(tmp_path, model.SerializeToString())


@pytest.mark.parametrize("shape", [(2, 4), (2**40, 2**40), (-2, -3), (1,) * 70])
def test_constants_whose_size_does_not_fit_are_rejected(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    model = onnx.load_from_string(small())
    model.graph.initializer[1].dims[:] = shape
    with pytest.raises(ValueError, match="shape"):
        read(tmp_path, model.SerializeToString())


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_onnx(tmp_path / "none.onnx")


def test_nothing_of_the_file_is_kept_open_or_shared(tmp_path: Path) -> None:
    shutil.copy(MODELS / "lite.onnx", tmp_path)
    shutil.copy(MODELS / "lite.data", tmp_path)
    graph = read_onnx(tmp_path / "lite.onnx")
    (tmp_path / "lite.data").write_bytes(b"")
    assert all(not array.flags.writeable for array in graph.constants.values())
    assert all(np.isfinite(array).all() for array in graph.constants.values())
