"""Read a TensorFlow Lite flatbuffer into plain records, with `struct` and numpy alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

# ref: schema.fbs of TensorFlow Lite, for every number below.
TENSOR_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
}
INDEX_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<i4"), 2: np.dtype("<u2"), 3: np.dtype("u1")}
DENSE, SPARSE_CSR = 0, 1
OPERATORS = {
    0: "Add",
    2: "Concat",
    3: "Conv",
    4: "DepthwiseConv",
    5: "DepthToSpace",
    6: "Dequantize",
    14: "Sigmoid",
    17: "MaxPool",
    19: "Relu",
    22: "Reshape",
    23: "Resize",
    34: "Pad",
    124: "Densify",
}
# For each operator: option name -> (field number in its option table, struct format).
_WINDOW = {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i")}
OPTIONS: dict[str, dict[str, tuple[int, str]]] = {
    "Add": {"activation": (0, "b")},
    "Concat": {"axis": (0, "i"), "activation": (1, "b")},
    "Conv": _WINDOW | {"activation": (3, "b"), "dilation_w": (4, "i"), "dilation_h": (5, "i")},
    "DepthwiseConv": _WINDOW
    | {"activation": (4, "b"), "dilation_w": (5, "i"), "dilation_h": (6, "i")},
    "DepthToSpace": {"block": (0, "i")},
    "MaxPool": _WINDOW | {"filter_w": (3, "i"), "filter_h": (4, "i"), "activation": (5, "b")},
    "Resize": {"align_corners": (2, "?"), "half_pixel": (3, "?")},
}


class TfliteError(ValueError):
    """The bytes are not a TensorFlow Lite model that this reader understands."""


@dataclass(frozen=True)
class Operator:
    """One operator: its kind (a value of OPERATORS), tensor numbers (-1: absent), options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int]


@dataclass(frozen=True)
class Graph:
    """A model's subgraph: NHWC shapes and constants by tensor number, operators in order."""

    shapes: tuple[Shape, ...]
    constants: dict[int, Array]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(data: bytes) -> Graph:
    """
    Read a model of one subgraph; sparse and float16 weights come out as constants.

    Raise TfliteError when the bytes are damaged or hold something that we don't know.
    """
    if data[4:8] != b"TFL3":
        raise TfliteError(f"not a TensorFlow Lite model: identifier {data[4:8]!r}, not b'TFL3'")
    try:
        return _read_graph(_Table(data, _unpack("I", data, 0)))
    except TfliteError:
        raise
    except (LookupError, ValueError, MemoryError) as error:
        raise TfliteError(f"damaged TensorFlow Lite model: {error}") from error


def _read_graph(model: _Table) -> Graph:
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise TfliteError(f"model has {len(subgraphs)} subgraphs, only 1 is supported")
    subgraph = subgraphs[0]
    tensors = subgraph.tables(0)
    buffers = model.tables(4)
    shapes = tuple(tensor.integers(0) for tensor in tensors)
    constants = {}
    for number, tensor in enumerate(tensors):
        content = buffers[tensor.scalar(2, "I")].array(0, np.dtype("u1"))
        if content.size:
            constants[number] = _constant(tensor, content, shapes[number])
    codes = [_operator_kind(code) for code in model.tables(1)]
    operators = []
    for table in subgraph.tables(3):
        operator = _operator(table, codes)
        if operator.kind in ("Dequantize", "Densify") and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants[operator.inputs[0]]
        else:
            operators.append(operator)
    inputs, outputs = subgraph.integers(1), subgraph.integers(2)
    return Graph(shapes, constants, tuple(operators), inputs, outputs)


def _constant(tensor: _Table, content: Array, shape: Shape) -> Array:
    type_number = tensor.scalar(1, "b")
    if type_number not in TENSOR_TYPES:
        raise TfliteError(f"constant of type {type_number}; known are {sorted(TENSOR_TYPES)}")
    values = content.view(TENSOR_TYPES[type_number])
    sparsity = tensor.optional_table(6)
    return values.reshape(shape) if sparsity is None else _densify(sparsity, values, shape)


def _densify(sparsity: _Table, values: Array, shape: Shape) -> Array:
    """Expand a tensor whose last dimension alone is sparse, in compressed rows."""
    dimensions = sparsity.tables(2)
    formats = [dimension.scalar(0, "b") for dimension in dimensions]
    order = sparsity.integers(0)
    expected = [DENSE] * (len(shape) - 1) + [SPARSE_CSR]
    if formats != expected or order != tuple(range(len(shape))) or sparsity.integers(1):
        raise TfliteError(f"sparse tensor of order {order} and formats {formats} not supported")
    last = dimensions[-1]
    segments, columns = _indices(last, 2), _indices(last, 4)
    if segments[-1] != len(values):
        raise TfliteError(f"sparse tensor has {len(values)} values, its rows {segments[-1]}")
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(segments))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, columns] = values
    return dense.reshape(shape)


def _indices(dimension: _Table, number: int) -> Array:
    dtype = INDEX_TYPES[dimension.scalar(number, "b")]
    return dimension.table(number + 1).array(0, dtype).astype(np.int64)


def _operator_kind(code: _Table) -> str:
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if number not in OPERATORS:
        raise TfliteError(f"operator {number} is not supported; known are {OPERATORS}")
    return OPERATORS[number]


def _operator(table: _Table, codes: list[str]) -> Operator:
    kind = codes[table.scalar(0, "I")]
    known = OPTIONS.get(kind, {})
    options = table.table(4) if known else table
    values = {name: options.scalar(number, code) for name, (number, code) in known.items()}
    return Operator(kind, table.integers(1), table.integers(2), values)


@dataclass(frozen=True)
class _Table:
    """A flatbuffer table; a scalar or vector that is absent is zero or empty."""

    data: bytes
    position: int

    def scalar(self, number: int, code: str) -> int:
        field = self._field(number)
        return _unpack(code, self.data, field) if field else 0

    def optional_table(self, number: int) -> _Table | None:
        field = self._field(number)
        return _follow(self.data, field) if field else None

    def table(self, number: int) -> _Table:
        table = self.optional_table(number)
        if table is None:
            raise TfliteError(f"the table at byte {self.position} lacks its field {number}")
        return table

    def array(self, number: int, dtype: np.dtype[Any]) -> Array:
        field = self._field(number)
        if not field:
            return np.empty(0, dtype)
        start = _follow(self.data, field).position
        return np.frombuffer(self.data, dtype, _unpack("I", self.data, start), start + 4)

    def integers(self, number: int) -> tuple[int, ...]:
        return tuple(self.array(number, np.dtype("<i4")).tolist())

    def tables(self, number: int) -> list[_Table]:
        field = self._field(number)
        if not field:
            return []
        start = _follow(self.data, field).position
        count = _unpack("I", self.data, start)
        return [_follow(self.data, start + 4 + 4 * index) for index in range(count)]

    def _field(self, number: int) -> int:
        """Give the position of a field, 0 if the table hasn't got it."""
        vtable = self.position - _unpack("i", self.data, self.position)
        entry = 4 + 2 * number
        if entry >= _unpack("H", self.data, vtable):
            return 0
        offset = _unpack("H", self.data, vtable + entry)
        return self.position + offset if offset else 0


def _follow(data: bytes, position: int) -> _Table:
    return _Table(data, position + _unpack("I", data, position))


def _unpack(code: str, data: bytes, position: int) -> int:
    size = struct.calcsize(f"<{code}")
    if not 0 <= position <= len(data) - size:
        raise TfliteError(f"damaged: byte {position} is needed, the model has {len(data)}")
    value: int = struct.unpack_from(f"<{code}", data, position)[0]
    return value
