"""
Read the convolutional part of a TensorFlow.js graph into the records of tflite.py.

Only what lies between a named input and named outputs is read, at a fixed input size. What comes
after, like sorting and sampling, is for the reader of the outputs to compute.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tflite import Array, Graph, Operator, Shape

_CHANNELS = 3
# The numbers of TensorFlow Lite for what is fused to a convolution, and for its padding.
_ACTIVATIONS = {("BiasAdd",): 0, ("BiasAdd", "Relu"): 1, ("BiasAdd", "Relu6"): 3, (): 0}
_PADDINGS = {"SAME": 0, "VALID": 1}


class TfjsError(ValueError):
    """A TensorFlow.js graph can't be read, since it is damaged or unknown, or can't be run."""


@dataclass(frozen=True)
class Part:
    """The part of a graph that is read: names of nodes, and the side of the square input in px."""

    input: str
    outputs: tuple[str, ...]
    size: int


def read_graph(topology: bytes, weights: bytes, part: Part) -> Graph:
    """
    Read a part of a graph from its model.json and its one file of weights.

    float16 weights stay so. Raise TfjsError when the bytes are damaged or hold something that we
    don't know.
    """
    try:
        model = json.loads(topology)
        nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        reader = _Reader(nodes, _constants(model["weightsManifest"], weights), part)
        outputs = tuple(reader.value(name) for name in part.outputs)
    except TfjsError:
        raise
    except (LookupError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise TfjsError(f"damaged TensorFlow.js model: {error!r}") from error
    return Graph(tuple(reader.shapes), reader.constants, tuple(reader.operators), (0,), outputs)


def _constants(manifest: Sequence[Any], weights: bytes) -> dict[str, Array]:
    """Give the constants by name; they lie in the file one after the other."""
    constants = {}
    offset = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        dtype = _dtype(entry)
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(weights, dtype, count, offset)
        constants[entry["name"]] = array.reshape(entry["shape"])
        offset += array.nbytes
    if offset != len(weights):
        raise TfjsError(f"the weights have {len(weights)} bytes, the model names {offset}")
    return constants


def _dtype(entry: dict[str, Any]) -> np.dtype[Any]:
    stored = entry.get("quantization", entry)["dtype"]
    known = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}
    if stored not in known:
        raise TfjsError(f"weight {entry['name']} is stored as {stored}; known are {list(known)}")
    return np.dtype(known[stored])


class _Reader:
    """Numbers the values of a graph, in the order in which they are computed."""

    def __init__(
        self, nodes: dict[str, dict[str, Any]], weights: dict[str, Array], part: Part
    ) -> None:
        self._nodes, self._weights = nodes, weights
        self._numbers = {part.input: 0}
        self.shapes: list[Shape] = [(1, part.size, part.size, _CHANNELS)]
        self.constants: dict[int, Array] = {}
        self.operators: list[Operator] = []

    def value(self, name: str) -> int:
        """Give the number of a computed value; what it needs is read first."""
        if name not in self._numbers:
            node = self._nodes[name]
            if node["op"] not in _TRANSLATIONS:
                known = ", ".join(_TRANSLATIONS)
                raise TfjsError(f"{name} is a {node['op']}; known operators are {known}")
            self._numbers[name] = _TRANSLATIONS[node["op"]](self, node)
        return self._numbers[name]

    def add(self, kind: str, inputs: Sequence[int], shape: Shape, **options: int) -> int:
        """Append an operator; give the number of its result."""
        self.shapes.append(shape)
        self.operators.append(Operator(kind, tuple(inputs), (len(self.shapes) - 1,), options))
        return len(self.shapes) - 1

    def constant(self, array: Array) -> int:
        """Append a constant; give its number."""
        self.shapes.append(array.shape)
        self.constants[len(self.shapes) - 1] = array
        return len(self.shapes) - 1

    def weight(self, name: str) -> Array:
        """Give the constant of a name."""
        if name not in self._weights:
            raise TfjsError(f"{name} is computed where a constant is expected")
        return self._weights[name]

    def node(self, name: str, op: str) -> dict[str, Any]:
        """Give a node that must be an `op`."""
        node = self._nodes[name]
        if node["op"] != op:
            raise TfjsError(f"{name} is a {node['op']} where a {op} is expected")
        return node


def _convolution(reader: _Reader, node: dict[str, Any]) -> int:
    source, kernel, *bias = node["input"]
    number = reader.value(source)
    weight = reader.weight(kernel)
    depthwise = node["op"] != "_FusedConv2D"
    # Here (h, w, in, out) and depthwise (h, w, in, 1), there (out, h, w, in) and (1, h, w, in).
    weight = weight.transpose((3, 0, 1, 2))
    channels = weight.shape[3] if depthwise else weight.shape[0]
    if len(bias) > 1 or (depthwise and weight.shape[0] != 1):
        raise TfjsError(f"{node['name']} has {len(bias)} further inputs and {weight.shape}")
    values = reader.weight(bias[0]) if bias else np.zeros(channels, weight.dtype)
    options = _options(node)
    sides = _sides(reader.shapes[number][1:3], weight.shape[1:3], options)
    return reader.add(
        "DepthwiseConv" if depthwise else "Conv",
        (number, reader.constant(weight), reader.constant(values)),
        (1, *sides, channels),
        **options,
    )


def _options(node: dict[str, Any]) -> dict[str, int]:
    """Give the options of a convolution in TensorFlow Lite's numbers."""
    attributes = node["attr"]
    strides, dilations = (_integers(attributes[name]) for name in ("strides", "dilations"))
    fused = tuple(
        _text(item) for item in attributes.get("fused_ops", {}).get("list", {}).get("s", ())
    )
    padding = _text(attributes["padding"]["s"])
    if strides[::3] != [1, 1] or fused not in _ACTIVATIONS or padding not in _PADDINGS:
        raise TfjsError(f"{node['name']} has strides {strides}, padding {padding}, fused {fused}")
    return {
        "stride_h": strides[1],
        "stride_w": strides[2],
        "dilation_h": dilations[1],
        "dilation_w": dilations[2],
        "padding": _PADDINGS[padding],
        "activation": _ACTIVATIONS[fused],
    }


def _integers(attribute: dict[str, Any]) -> list[int]:
    return [int(item) for item in attribute["list"]["i"]]


def _text(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode()


def _sides(sides: Shape, kernel: Shape, options: dict[str, int]) -> Shape:
    """Give height and width after a convolution."""
    strides = options["stride_h"], options["stride_w"]
    lost = (0, 0) if options["padding"] == _PADDINGS["SAME"] else tuple(k - 1 for k in kernel)
    return tuple(
        -(-(side - less) // step) for side, less, step in zip(sides, lost, strides, strict=True)
    )


def _add(reader: _Reader, node: dict[str, Any]) -> int:
    numbers = [reader.value(name) for name in node["input"]]
    shapes = {reader.shapes[number] for number in numbers}
    if len(shapes) != 1:
        raise TfjsError(f"{node['name']} adds values of the shapes {shapes}")
    return reader.add("Add", numbers, *shapes)


def _resize(reader: _Reader, node: dict[str, Any]) -> int:
    """Bilinear enlargement; its size must be the source's own, times a constant."""
    source, size = node["input"]
    number = reader.value(source)
    sizes, factors = reader.node(size, "Mul")["input"]
    shape, *bounds = reader.node(sizes, "StridedSlice")["input"]
    found = [*reader.node(shape, "Shape")["input"], *(int(reader.weight(n)[0]) for n in bounds)]
    if found != [source, 1, 3, 1]:
        raise TfjsError(f"{node['name']} takes its size from {found}, not from {source}")
    _, height, width, channels = reader.shapes[number]
    by_y, by_x = (int(factor) for factor in reader.weight(factors))
    options = {
        name: int(node["attr"].get(key, {}).get("b", False))
        for name, key in (("align_corners", "align_corners"), ("half_pixel", "half_pixel_centers"))
    }
    return reader.add("Resize", (number,), (1, by_y * height, by_x * width, channels), **options)


_TRANSLATIONS: dict[str, Callable[[_Reader, dict[str, Any]], int]] = {
    "_FusedConv2D": _convolution,
    "AddV2": _add,
    "DepthwiseConv2dNative": _convolution,
    "FusedDepthwiseConv2dNative": _convolution,
    "ResizeBilinear": _resize,
}
