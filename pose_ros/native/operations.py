"""A landmark network as the few operations that the engine has kernels for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from pose_ros.native.onnx_file import Graph, Node

_NO_LIMITS = (-np.inf, np.inf)

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]


class Kind(IntEnum):
    """What an operation does, numbered as in engine.h."""

    CONV = 0  # of single pixels, of the whole input, or of the image with stride 2
    DEPTHWISE = 1
    MAX_POOL = 2
    UPSAMPLE = 3
    UNPACK = 4  # of a result


@dataclass(eq=False)
class Operation:
    """An operation, and the shape (channels, height, width) of what it makes.

    That is clipped to `limits`, `other` is added, and the sum is clipped to `final_limits`.
    """

    kind: Kind
    input: Operation
    shape: Shape
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    weights: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    bias: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    limits: tuple[float, float] = _NO_LIMITS
    other: Operation | None = None
    final_limits: tuple[float, float] = _NO_LIMITS

    @property
    def sources(self) -> list[Operation]:
        """The operations whose outputs are read."""
        return [self.input, self.other] if self.other else [self.input]

    def rows_needed(self, of: Operation, begin: int, end: int) -> tuple[int, int]:
        """Return the first row of a source, and that after the last, for these rows."""
        first = begin * self.stride - self.pad
        last = (end - 1) * self.stride - self.pad + self.kernel
        if of is self.other:
            first, last = begin, end
        elif self.kind is Kind.UPSAMPLE:
            first, last = (begin - 1) // 2, end // 2 + 1
        return max(first, 0), min(last, of.shape[1])


class Network:
    """The operations that outputs of a graph need, in order; `image` is not one of them.

    `results` are what makes each output, its shape, and whether it goes through a sigmoid.

    Raises ValueError for what the engine cannot run.
    """

    def __init__(self, graph: Graph, outputs: Sequence[str]) -> None:
        ((name, (batch, *shape)),) = graph.inputs.items()
        if batch != 1 or len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"the input has shape {(batch, *shape)}; allowed is (1, C, H, W)")
        self.image = Operation(Kind.CONV, None, tuple(shape))  # type: ignore[arg-type]
        self.image_pads = 0, 0
        self.operations: list[Operation] = []
        self._constants = _float_constants(graph)
        self._values = {name: self.image}
        self._finals: dict[str, bool] = {}  # what nothing reads: whether it is a sigmoid
        nodes = _needed(graph, set(outputs))
        self._uses = Counter([name for node in nodes for name in node.inputs] + list(outputs))
        for node in nodes:
            self._values[node.outputs[0]] = self._operation(node)
        self.results = [self._result(graph, name) for name in outputs]

    def _result(self, graph: Graph, name: str) -> tuple[Operation, tuple[int, ...], bool]:
        operation, shape = self._values.get(name, self.image), graph.outputs.get(name, ())
        if operation is self.image or np.prod(operation.shape) != np.prod(shape):
            raise ValueError(f"the graph does not make {name} {shape}")
        return operation, shape, self._finals.get(name, False)

    def _operation(self, node: Node) -> Operation:
        operands = [self._values[name] for name in node.inputs if name in self._values]
        is_final = node.kind in {"Reshape", "Sigmoid"}
        _check(node, node.inputs[:1] != () and node.inputs[0] in self._values)
        _check(node, self.image not in operands or node.kind == "Conv")
        _check(node, is_final or self._finals.keys().isdisjoint(node.inputs))
        of = operands[0]
        if is_final:
            is_sigmoid = self._finals.get(node.inputs[0], False)
            _check(node, not (is_sigmoid and node.kind == "Sigmoid"))
            self._finals[node.outputs[0]] = is_sigmoid or node.kind == "Sigmoid"
            return of
        if node.kind == "Add":
            return self._sum(node, operands)
        known = {"Conv": self._conv, "Clip": self._clip, "Relu": self._clip}
        known |= {"MaxPool": self._max_pool, "Resize": self._upsample}
        _check(node, node.kind in known)
        return known[node.kind](node, of)

    def _constant(self, node: Node, index: int) -> Array:
        name = node.inputs[index] if index < len(node.inputs) else ""
        _check(node, name in self._constants)
        return self._constants[name]

    def _append(self, *arguments: Any) -> Operation:  # noqa: ANN401
        self.operations.append(Operation(*arguments))
        return self.operations[-1]

    def _conv(self, node: Node, of: Operation) -> Operation:
        weights, (group,) = self._constant(node, 1), _integers(node, "group", 1)
        _check(node, weights.ndim == 4 and weights.size > 0)
        outputs, inputs, kernel, _ = weights.shape
        bias = self._constant(node, 2) if len(node.inputs) > 2 else np.zeros(outputs, np.float32)
        _check(node, bias.shape == (outputs,) and group * inputs == of.shape[0])
        stride, pad, (_, height, width), pad_after = _window(node, of, weights.shape[2:])
        shape = outputs, height, width
        if group == of.shape[0] == outputs and of is not self.image:
            if kernel == 1 and (weights == 1).all() and not bias.any() and shape == of.shape:
                _check(node, self._uses[node.inputs[0]] == 1)
                return of  # which is there for onnxruntime's sake
            _check(node, kernel in {3, 5} and stride in {1, 2})
            return self._append(Kind.DEPTHWISE, of, shape, kernel, stride, pad, weights, bias)
        _check(node, group == 1)
        if of is self.image:
            _check(node, self._uses[node.inputs[0]] == 1 and stride == 2)
            self.image_pads = pad, pad_after
        else:
            is_whole = (kernel, pad, *shape[1:]) == (of.shape[1], 0, 1, 1)
            _check(node, is_whole or (kernel, *shape[1:]) == (1, *of.shape[1:]))
        return self._append(Kind.CONV, of, shape, kernel, stride, pad, weights, bias)

    def _clip(self, node: Node, of: Operation) -> Operation:
        name = "final_limits" if of.other or of.kind is Kind.UPSAMPLE else "limits"
        is_fit = self._uses[node.inputs[0]] == 1 and of.kind is not Kind.MAX_POOL
        _check(node, is_fit and getattr(of, name) == _NO_LIMITS)
        limits = [self._constant(node, index).item() for index in range(1, len(node.inputs))]
        _check(node, len(limits) == 2 * (node.kind == "Clip"))
        setattr(of, name, tuple(limits) or (0.0, np.inf))
        return of

    def _max_pool(self, node: Node, of: Operation) -> Operation:
        size, ceil = _integers(node, "kernel_shape", 0, 0), _integers(node, "ceil_mode", 0)
        stride, pad, shape, pad_after = _window(node, of, size)
        _check(node, (size, stride, pad, pad_after, ceil) == ((2, 2), 2, 0, 0, (0,)))
        return self._append(Kind.MAX_POOL, of, shape, 2, 2)

    def _upsample(self, node: Node, of: Operation) -> Operation:
        ways = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        _check(node, node.attributes == ways and len(node.inputs) == 3)
        _check(node, tuple(self._constant(node, 2)) == (1, 1, 2, 2))
        channels, height, width = of.shape
        return self._append(Kind.UPSAMPLE, of, (channels, 2 * height, 2 * width))

    def _sum(self, node: Node, terms: list[Operation]) -> Operation:
        """Let the later of two operations add the other one, if nothing else reads it."""
        free = [
            term for term, name in zip(terms, node.inputs, strict=False) if self._uses[name] == 1
        ]
        able = [
            term for term in free if term.kind in {Kind.CONV, Kind.UPSAMPLE} and not term.other
        ]
        able = [term for term in able if term.final_limits == _NO_LIMITS]
        _check(node, len(terms) == 2 and bool(able) and terms[0].shape == terms[-1].shape)
        adding = max(able, key=self.operations.index)
        adding.other = terms[terms[0] is adding]
        self.operations.remove(adding)  # it may be earlier than the other one
        self.operations.append(adding)
        return adding


def _check(node: Node, is_fit: bool) -> None:
    if not is_fit:
        raise ValueError(f"the engine has no {node.kind} like that of {node.outputs}")


def _float_constants(graph: Graph) -> dict[str, Array]:
    """Return constants, and what Cast makes of them, as float32."""
    constants = {name: np.asarray(value, np.float32) for name, value in graph.constants.items()}
    for node in graph.nodes:
        if node.kind == "Cast" and len(node.outputs) == 1 and set(node.inputs) <= constants.keys():
            (constants[node.outputs[0]],) = (constants[name] for name in node.inputs)
    return constants


def _needed(graph: Graph, names: set[str]) -> list[Node]:
    """Return the nodes that the named values are made by, but no Cast."""
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if node.kind != "Cast" and not names.isdisjoint(node.outputs):
            nodes.insert(0, node)
            names.update(node.inputs)
    return nodes


def _integers(node: Node, name: str, *default: int) -> tuple[int, ...]:
    value = node.attributes.get(name, default)
    numbers = value if isinstance(value, tuple) else (value,)
    _check(node, not isinstance(value, str) and len(numbers) == len(default))
    return tuple(int(number) for number in numbers)


def _window(node: Node, of: Operation, size: tuple[int, ...]) -> tuple[int, int, Shape, int]:
    """Return a square window's stride, padding before, the shape it gives, padding after."""
    before, left, after, right = _integers(node, "pads", 0, 0, 0, 0)
    (kernel, columns), (stride, across) = size, _integers(node, "strides", 1, 1)
    is_square = (kernel, before, after, stride) == (columns, left, right, across)
    is_plain = "auto_pad" not in node.attributes and _integers(node, "dilations", 1, 1) == (1, 1)
    _check(node, is_square and is_plain and stride >= 1)
    _check(node, 0 <= before < kernel and 0 <= after < kernel)
    channels, *sides = of.shape
    height, width = ((side + before + after - kernel) // stride + 1 for side in sides)
    _check(node, min(height, width) >= 1)
    return stride, before, (channels, height, width), after
