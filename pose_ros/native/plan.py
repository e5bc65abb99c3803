"""What the engine's kernels do, row by row, and where in memory: planned once for a network.

The kernels check nothing, so all that they rely on is made or checked here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pose_ros.native.operations import Array, Kind, Network, Operation

_PANEL = 3  # the most blocks of output channels that a kernel makes at once
_STEP_PIXELS = 256  # so many rows, or one, are made at once; see MAX_ROWS
_MAX_FLOATS = 2**31 - 2**20
_MAX_OPERATIONS = 500
_ALIGNED = 16  # floats

_OPERATION = np.dtype(
    [("tensors", np.int32, (3, 8)), ("integers", np.int32, 8), ("limits", np.float32, 4)]
)

Float32Array = npt.NDArray[np.float32]


@dataclass
class _Place:
    """Where the output of an operation lies in memory, and from which step to which."""

    lanes: int
    blocks: int
    width: int
    pad: int = 0
    kept_rows: int = 0
    first_step: int = 0
    last_step: int = 0
    offset: int = 0

    @property
    def block(self) -> int:
        return (self.width + 2 * self.pad) * self.lanes

    @property
    def end(self) -> int:
        floats = self.kept_rows * self.blocks * self.block
        return self.offset + -(-floats // _ALIGNED) * _ALIGNED


class Plan:
    """The tables of engine.h for a network; `lanes` are the floats of a vector."""

    def __init__(self, network: Network, lanes: int) -> None:
        self._lanes, self._image = lanes, network.image
        unpacked = [Operation(Kind.UNPACK, of, of.shape) for of, *_ in network.results]
        self._operations = [*network.operations, *unpacked]
        if len(self._operations) > _MAX_OPERATIONS:
            raise ValueError(f"there are {len(self._operations)} operations: too many")
        self._places = {
            operation: _Place(lanes, -(-operation.shape[0] // lanes), operation.shape[2])
            for operation in network.operations
        }
        for operation in network.operations:
            self._widen(operation)
        self._done = dict.fromkeys(self._operations, 0)  # rows
        self._steps: list[tuple[int, int, int]] = []
        for operation in unpacked:
            self._advance(operation, operation.shape[1])
        channels, *sides = network.image.shape
        self.image_shape = channels, *(side + sum(network.image_pads) for side in sides)
        self.memory_floats = self._allocate(int(np.prod(self.image_shape)))
        self.result_ends = np.cumsum([0, *(np.prod(of.shape) for of in unpacked)])
        self._results = dict(zip(unpacked, self.result_ends, strict=False))
        self._fill_tables()

    def _fill_tables(self) -> None:
        packed = [self._packed(operation) for operation in self._operations]
        offsets = [self._offsets(operation) for operation in self._operations]
        starts = np.cumsum([0, *(values.size for values in packed)])
        sizes = int(self.memory_floats), int(starts[-1]), int(self.result_ends[-1])
        if max(sizes) > _MAX_FLOATS:
            raise ValueError(f"the network needs {max(sizes)} floats; allowed are {_MAX_FLOATS}")
        self.steps = np.array(self._steps, np.int32)
        self.values, self.offsets = aligned(sizes[1]), np.concatenate(offsets)
        np.concatenate(packed, out=self.values)
        places = zip(starts, np.cumsum([0, *map(len, offsets)]), map(len, offsets), strict=False)
        rows = [self._row(*pair) for pair in zip(self._operations, places, strict=False)]
        self.operations = np.array(rows, _OPERATION)
        del self._operations, self._places, self._results, self._done, self._image  # the weights

    def _widen(self, operation: Operation) -> None:
        """Give room for zeros beside the rows that a wide kernel reads."""
        if operation.kind is Kind.DEPTHWISE:
            place = self._places[operation.input]
            last = (operation.shape[2] - 1) * operation.stride - operation.pad
            place.pad = max(place.pad, operation.pad, last + operation.kernel - place.width)

    def _advance(self, operation: Operation, rows: int) -> None:
        """Plan steps until so many rows are made, of as few rows of the sources as will do."""
        _, height, width = operation.shape
        while (begin := self._done[operation]) < rows:
            end = min(height, begin + max(1, _STEP_PIXELS // width))
            sources = [source for source in operation.sources if source in self._places]
            for source in sources:
                self._advance(source, operation.rows_needed(source, begin, end)[1])
            for source in sources:
                self._places[source].last_step = len(self._steps)
            if operation in self._places:
                self._keep(self._places[operation], operation, end)
            self._steps.append((self._operations.index(operation), begin, end))
            self._done[operation] = end

    def _keep(self, place: _Place, operation: Operation, end: int) -> None:
        """Let rows up to `end` have room beside those before that are needed still."""
        place.last_step = len(self._steps)
        if not self._done[operation]:
            place.first_step = place.last_step
        needed = (
            reader.rows_needed(operation, done, done + 1)[0]
            for reader, done in self._done.items()
            if operation in reader.sources and done < reader.shape[1]
        )
        place.kept_rows = max(place.kept_rows, end - min(needed))

    def _allocate(self, start: int) -> int:
        """Put each output as low as memory is free from a start on; return the floats in all."""
        placed: list[_Place] = []
        for place in sorted(self._places.values(), key=lambda place: place.first_step):
            place.offset = -(-start // _ALIGNED) * _ALIGNED
            beside = [other for other in placed if other.last_step >= place.first_step]
            for other in sorted(beside, key=lambda other: other.offset):
                if place.end <= other.offset:
                    break
                place.offset = max(place.offset, other.end)
            placed.append(place)
        return max(place.end for place in placed)

    def _packed(self, operation: Operation) -> Float32Array:
        """Return biases and weights as the kernels read them."""
        bias = _padded(operation.bias, 0, self._lanes)
        weights = _padded(operation.weights, 0, self._lanes)
        blocks = bias.size // self._lanes
        if operation.kind is Kind.DEPTHWISE:
            taps = weights.reshape(blocks, self._lanes, -1).swapaxes(1, 2)
            return np.hstack((bias.reshape(blocks, -1), taps.reshape(blocks, -1))).ravel()
        if operation.kind is not Kind.CONV:
            return bias
        lanes = self._lanes if operation.input in self._places else 1
        outputs, _, kernel, _ = weights.shape
        weights = _padded(weights, 1, lanes).reshape(outputs, -1, lanes, kernel, kernel)
        rows = weights.transpose(3, 4, 1, 2, 0).reshape(-1, blocks, self._lanes)  # see _offsets
        panels = np.array_split(rows, -(-blocks // _PANEL), axis=1)
        return np.concatenate([bias, *(panel.ravel() for panel in panels)])

    def _offsets(self, operation: Operation) -> npt.NDArray[np.int32]:
        """Return where the inputs of a convolution lie: by row, column and block."""
        if operation.kind is not Kind.CONV:
            return np.zeros(0, np.int32)
        blocks, height, width = self.image_shape
        strides = width, 1, height * width
        if place := self._places.get(operation.input):
            blocks, strides = place.blocks, (place.blocks * place.block, place.lanes, place.block)
        inputs = np.indices((operation.kernel, operation.kernel, blocks), np.int32)
        return np.tensordot(np.array(strides, np.int32), inputs, 1).ravel()

    def _row(self, operation: Operation, places: tuple[int, int, int]) -> tuple[object, ...]:
        ends = operation.input, operation.other, operation
        tensors = [self._tensor(end) if end else (0,) * 8 for end in ends]
        is_of_image = operation.input is self._image
        form = operation.kind, operation.kernel, operation.stride, operation.pad
        return tensors, (*form, *places, is_of_image), (*operation.limits, *operation.final_limits)

    def _tensor(self, operation: Operation) -> tuple[int, ...]:
        channels, height, width = operation.shape
        if operation is self._image:
            return 0, height, 2 * self.image_shape[2], 0, channels, height, width, 0
        if operation in self._results:
            start = int(self._results[operation])
            return start, height, width, height * width, channels, height, width, 0
        place = self._places[operation]
        strides = place.blocks * place.block, place.block
        return place.offset, place.kept_rows, *strides, place.blocks, height, width, place.pad


def aligned(count: int) -> Float32Array:
    """Return an array whose address suits all vectors."""
    floats = np.empty(count + _ALIGNED, np.float32)
    start = -floats.ctypes.data // floats.itemsize % _ALIGNED
    return floats[start : start + count]


def _padded(array: Array, axis: int, multiple: int) -> Array:
    widths = [(0, 0)] * array.ndim
    widths[axis] = 0, -array.shape[axis] % multiple
    return np.pad(array, widths)
