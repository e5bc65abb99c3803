"""ONNX files, read without the onnx package: as much of the format as the engine can use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_DTYPES = {1: "<f4", 7: "<i8", 10: "<f2"}

Attribute = int | str | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operation. Its kind starts with its domain, unless that is ONNX's own."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class Graph:
    """The operations in order, read-only constants, and shapes, in which unknown sides are 0."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]


def read_onnx(path: Path) -> Graph:
    """Read a graph, with weights from files in its folder or below.

    Raises ValueError if it is damaged or holds what is not supported, OSError if it is not there.
    """
    path = path.resolve()
    (graph,) = _Message(memoryview(path.read_bytes())).messages(7)
    read_file = partial(_read_inside, path.parent)
    return Graph(
        tuple(_node(node) for node in graph.messages(1)),
        {tensor.text(8): _tensor(tensor, read_file) for tensor in graph.messages(5)},
        {value.text(1): _shape(value) for value in graph.messages(11)},
        {value.text(1): _shape(value) for value in graph.messages(12)},
    )


class _Message:
    """The fields of a protobuf message by their numbers, which are those of onnx.proto."""

    def __init__(self, data: memoryview) -> None:
        self._fields: dict[int, list[int | memoryview]] = {}
        position = 0
        while position < len(data):
            key, position = _varint(data, position)
            number, position = _varint(data, position)
            values = self._fields.setdefault(key >> 3, [])
            if key & 7 == 0:
                values.append(number)
            elif key & 7 == 2 and position + number <= len(data):
                values.append(data[position : position + number])
                position += number
            else:
                raise ValueError(f"a field of form {key & 7} does not fit: {number}")

    def pieces(self, field: int) -> list[memoryview]:
        values = self._fields.get(field, [])
        return [value for value in values if isinstance(value, memoryview)]

    def messages(self, field: int) -> list[_Message]:
        return [_Message(piece) for piece in self.pieces(field)]

    def texts(self, field: int) -> tuple[str, ...]:
        return tuple(str(piece, "utf-8") for piece in self.pieces(field))

    def text(self, field: int) -> str:
        return "".join(self.texts(field)[-1:])

    def integers(self, field: int) -> tuple[int, ...]:
        """Return signed numbers, whether they are packed or not."""
        numbers: list[int] = []
        for value in self._fields.get(field, []):
            numbers += [value] if isinstance(value, int) else _packed(value)
        return tuple(number - 2**64 if number >= 2**63 else number for number in numbers)

    def integer(self, field: int) -> int:
        return (0, *self.integers(field))[-1]


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return an unsigned number of 64 bits at most, and the position after it."""
    number = 0
    for index, byte in enumerate(data[position : position + 10]):
        number |= (byte & 127) << 7 * index
        if byte < 128 and number < 2**64:
            return number, position + index + 1
    raise ValueError("a number has no end")


def _packed(data: memoryview) -> Iterator[int]:
    position = 0
    while position < len(data):
        number, position = _varint(data, position)
        yield number


def _node(node: _Message) -> Node:
    attributes = {item.text(1): _attribute(item) for item in node.messages(5)}
    return Node(node.text(7) + node.text(4), node.texts(1), node.texts(2), attributes)


def _attribute(item: _Message) -> Attribute:
    match kind := item.integer(20):
        case 2:
            return item.integer(3)
        case 3:
            return item.text(4)
        case 7:
            return item.integers(8)
    raise ValueError(f"an attribute has kind {kind}; allowed are 2, 3 and 7")


def _shape(value: _Message) -> tuple[int, ...]:
    parts = [part for type_ in value.messages(2) for part in type_.messages(1)]
    sides = [side for part in parts for shape in part.messages(2) for side in shape.messages(1)]
    return tuple(side.integer(1) for side in sides)


def _tensor(tensor: _Message, read_file: Callable[[str, int, int], bytes]) -> npt.NDArray[Any]:
    shape, kind = tensor.integers(1), tensor.integer(2)
    if kind not in _DTYPES or min(shape, default=0) < 0:
        raise ValueError(f"a constant has kind {kind} and shape {shape}")
    data, dtype = b"".join(tensor.pieces(9)), np.dtype(_DTYPES[kind])
    if tensor.integer(14) == 1:
        place = {entry.text(1): entry.text(2) for entry in tensor.messages(13)}
        start, size = int(place.get("offset", 0)), int(place.get("length", 0))
        if start < 0 or size != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"a constant of shape {shape} has {size} bytes from {start}")
        data = read_file(place.get("location", ""), start, size)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a constant of shape {shape} and type {dtype} has {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _read_inside(folder: Path, file: str, start: int, size: int) -> bytes:
    """Read bytes of a file in the folder or below it, also when links have been followed.

    There are fewer of them where the file ends.
    """
    try:
        path = (folder / file).resolve(strict=True)
        if path.is_relative_to(folder) and path.is_file():
            file_size = path.stat().st_size
            with path.open("rb") as opened:
                opened.seek(min(start, file_size))
                return opened.read(min(size, file_size))
    except (OSError, RuntimeError) as error:  # RuntimeError: a ring of links
        raise ValueError(f"weights cannot be read: {error}") from error
    raise ValueError(f"weights lie in {path}; allowed is a file in {folder}")
