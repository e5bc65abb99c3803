"""Translate a TensorFlow Lite graph into an NCHW network, and a network into an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import onnx
from network import Attribute, Network, Node
from onnx import TensorProto, helper, numpy_helper
from tflite import Array, Graph, Operator, Shape, TfliteError

OPSET = 17
IR_VERSION = 8
EXTERNAL_MIN_BYTES = 1024
EXTERNAL_ALIGNMENT = 64

# ref: schema.fbs of TensorFlow Lite, enums ActivationFunctionType and Padding.
ACTIVATIONS = {1: "Relu", 3: "Clip"}
CLIP_BOUNDS = (0.0, 6.0)
PADDING_SAME = 0


def from_tflite(graph: Graph, input_name: str, output_names: Iterable[str]) -> Network:
    """
    Translate a graph, operator by operator, from NHWC to NCHW.

    `output_names` are given in the order of the graph's own outputs.
    Raise TfliteError for an operator that is used in a way we don't know.
    """
    build = _Build(graph, input_name, tuple(output_names))
    for operator in graph.operators:
        _translate(build, operator)
    outputs = tuple(build.names[number] for number in graph.outputs)
    return Network((input_name,), outputs, tuple(build.nodes), build.constants, build.shapes)


class _Build:
    """A network that is being made."""

    def __init__(self, graph: Graph, input_name: str, output_names: tuple[str, ...]) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.names = {number: f"t{number}" for number in range(len(graph.shapes))}
        self.names[graph.inputs[0]] = input_name
        self.names.update(zip(graph.outputs, output_names, strict=True))
        self.shapes = {self.names[n]: _nchw(shape) for n, shape in enumerate(graph.shapes)}

    def node(self, op: str, inputs: tuple[str, ...], output: str, **attributes: Attribute) -> None:
        self.nodes.append(Node(op, inputs, output, attributes))

    def add_constant(self, name: str, array: Array | np.float32) -> str:
        self.constants[name] = np.asarray(array, order="C")
        return name

    def value(self, number: int) -> str:
        if number in self.graph.constants:
            raise TfliteError(f"tensor {number} is constant where a computed one is expected")
        return self.names[number]

    def array(self, number: int) -> Array:
        if number not in self.graph.constants:
            raise TfliteError(f"tensor {number} is not constant where a constant is expected")
        return self.graph.constants[number]


def _nchw(shape: Shape) -> Shape:
    return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape


def _translate(build: _Build, operator: Operator) -> None:
    """Append the nodes of one operator; its fused activation becomes a node of its own."""
    target = build.names[operator.outputs[0]]
    translate = TRANSLATIONS[operator.kind]
    activation = operator.options.get("activation", 0)
    if activation == 0:
        translate(build, operator, target)
        return
    if activation not in ACTIVATIONS:
        raise TfliteError(f"fused activation {activation}; known are 0 and {ACTIVATIONS}")
    linear = f"{target}_linear"
    build.shapes[linear] = build.shapes[target]
    translate(build, operator, linear)
    bounds = CLIP_BOUNDS if ACTIVATIONS[activation] == "Clip" else ()
    limits = tuple(build.add_constant(f"clip_{b:g}", np.float32(b)) for b in bounds)
    build.node(ACTIVATIONS[activation], (linear, *limits), target)


def _same_op(build: _Build, operator: Operator, target: str) -> None:
    build.node(operator.kind, tuple(build.value(n) for n in operator.inputs), target)


def _conv(build: _Build, operator: Operator, target: str) -> None:
    source, weight_number, bias_number = operator.inputs
    if max(operator.options["dilation_h"], operator.options["dilation_w"]) > 1:
        raise TfliteError("dilated convolutions are not supported")
    depthwise = operator.kind == "DepthwiseConv"
    # Layouts: convolution (out, h, w, in), depthwise (1, h, w, out).
    weight = build.array(weight_number).transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    parameters = (
        build.add_constant(f"{target}_weight", weight),
        build.add_constant(f"{target}_bias", build.array(bias_number)),
    )
    group = build.shapes[build.names[source]][1] if depthwise else 1
    window = _window(build, operator, weight.shape[2:])
    build.node("Conv", (build.value(source), *parameters), target, group=group, **window)


def _max_pool(build: _Build, operator: Operator, target: str) -> None:
    kernel = (operator.options["filter_h"], operator.options["filter_w"])
    window = _window(build, operator, kernel)
    build.node("MaxPool", (build.value(operator.inputs[0]),), target, **window)


def _window(build: _Build, operator: Operator, kernel: Shape) -> dict[str, list[int]]:
    """Give kernel, strides and pads; SAME puts the odd line of padding at the end."""
    strides = [operator.options["stride_h"], operator.options["stride_w"]]
    sizes = build.shapes[build.names[operator.inputs[0]]][2:]
    pads = [0, 0, 0, 0]
    if operator.options["padding"] == PADDING_SAME:
        for axis, (size, stride, width) in enumerate(zip(sizes, strides, kernel, strict=True)):
            total = max((-(-size // stride) - 1) * stride + width - size, 0)
            pads[axis], pads[axis + 2] = total // 2, total - total // 2
    return {"kernel_shape": list(kernel), "strides": strides, "pads": pads}


def _pad(build: _Build, operator: Operator, target: str) -> None:
    amounts = build.array(operator.inputs[1])[[0, 3, 1, 2]].T.astype(np.int64).ravel()
    name = build.add_constant(f"{target}_pads", amounts)
    build.node("Pad", (build.value(operator.inputs[0]), name), target)


def _resize(build: _Build, operator: Operator, target: str) -> None:
    if not operator.options["half_pixel"] or operator.options["align_corners"]:
        raise TfliteError("only bilinear resizing with half-pixel centres is supported")
    source = build.value(operator.inputs[0])
    # Scales, not sizes: onnxruntime has no blocked kernel for the other form.
    scales = np.divide(build.shapes[target], build.shapes[source], dtype=np.float32)
    name = build.add_constant(f"{target}_scales", scales)
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    build.node("Resize", (source, "", name), target, **attributes)


def _depth_to_space(build: _Build, operator: Operator, target: str) -> None:
    source = build.value(operator.inputs[0])
    build.node("DepthToSpace", (source,), target, blocksize=operator.options["block"], mode="DCR")


def _reshape(build: _Build, operator: Operator, target: str) -> None:
    """Reshape in NHWC order, which is free when there is one pixel."""
    source = build.value(operator.inputs[0])
    shape = build.shapes[source]
    if len(shape) != 4 or len(build.shapes[target]) == 4:
        raise TfliteError(f"reshaping {shape} to {build.shapes[target]} is not supported")
    if shape[2:] != (1, 1):
        build.node("Transpose", (source,), f"{target}_nhwc", perm=[0, 2, 3, 1])
        source = f"{target}_nhwc"
    wanted = np.array(build.shapes[target], np.int64)
    build.node("Reshape", (source, build.add_constant(f"{target}_shape", wanted)), target)


def _concat(build: _Build, operator: Operator, target: str) -> None:
    if len(build.shapes[target]) == 4:
        raise TfliteError("concatenating images is not supported")
    inputs = tuple(build.value(number) for number in operator.inputs)
    build.node("Concat", inputs, target, axis=operator.options["axis"])


TRANSLATIONS: dict[str, Callable[[_Build, Operator, str], None]] = {
    "Add": _same_op,
    "Concat": _concat,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv": _conv,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Relu": _same_op,
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _same_op,
}


def pack(constants: dict[str, Array]) -> tuple[bytes, dict[str, int]]:
    """Lay the large constants one after the other; give the bytes and the offset of each."""
    data = bytearray()
    offsets = {}
    for name, array in constants.items():
        if array.nbytes >= EXTERNAL_MIN_BYTES:
            data += bytes(-len(data) % EXTERNAL_ALIGNMENT)
            offsets[name] = len(data)
            data += array.tobytes()
    return bytes(data), offsets


def to_onnx(
    network: Network, name: str, data_file: str = "", offsets: dict[str, int] | None = None
) -> onnx.ModelProto:
    """
    Write the network as an ONNX model with float32 inputs and outputs.

    float16 constants stay float16, behind a Cast that onnxruntime folds when it loads.
    Constants named in `offsets` lie there in `data_file` instead of in the model.
    """
    tensors = []
    for key, array in network.constants.items():
        tensors.append(numpy_helper.from_array(array, key))
        if key in (offsets or {}):
            _move_out(tensors[-1], data_file, (offsets or {})[key], array.nbytes)
    halves = [key for key, array in network.constants.items() if array.dtype == np.float16]
    casts = [
        helper.make_node("Cast", [key], [f"{key}_f32"], to=TensorProto.FLOAT) for key in halves
    ]
    wide = {key: f"{key}_f32" for key in halves}
    nodes = [
        helper.make_node(
            node.op, [wide.get(key, key) for key in node.inputs], [node.output], **node.attributes
        )
        for node in network.nodes
    ]
    graph = helper.make_graph(
        casts + nodes,
        name,
        [_value_info(network, key) for key in network.inputs],
        [_value_info(network, key) for key in network.outputs],
        tensors,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[opset], producer_name="pose_ros"
    )


def _value_info(network: Network, key: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(key, TensorProto.FLOAT, network.shapes[key])


def _move_out(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
