"""The engine: landmark networks run by the compiled library, on one core."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pose_ros.native.library import NativeLibrary
from pose_ros.native.onnx_file import Graph
from pose_ros.native.operations import Network
from pose_ros.native.plan import Float32Array, Plan, aligned

_ISAS = {4: "NEON", 8: "AVX2", 16: "AVX-512"}  # by the floats of a vector
_WIDEST = 16


def engine_isa(library: NativeLibrary) -> str | None:
    """Return the instruction set that the engine uses; None if this processor has none of them."""
    return _ISAS.get(library.engine_lanes(_WIDEST))


class Engine:
    """A network with one input. Any number of threads may run it at once.

    Raises ValueError for a graph or a processor that it cannot use. `widest` is the most floats
    that a vector may have.
    """

    def __init__(
        self, library: NativeLibrary, graph: Graph, outputs: Sequence[str], widest: int = _WIDEST
    ) -> None:
        network = Network(graph, outputs)
        self._shape = network.image.shape
        self._results = [(shape, is_sigmoid) for _, shape, is_sigmoid in network.results]
        self._pad, _ = network.image_pads
        self._lanes, self._run = library.engine_lanes(widest), library.engine_run
        if not self._lanes:
            raise ValueError(f"this processor has none of {', '.join(_ISAS.values())}")
        self._plan = plan = Plan(network, self._lanes)
        tables = plan.operations, plan.steps, plan.values, plan.offsets
        pointers = [*(table.ctypes.data for table in tables), len(plan.steps)]
        self._tables = np.array(pointers, np.int64)  # struct pose_ros_plan
        self._free: list[Float32Array] = []  # memory that no thread uses

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        """Return the outputs, in the order in which they were asked for."""
        plan, (channels, height, width) = self._plan, self._shape
        if tensor.shape != (1, channels, height, width) or tensor.dtype != np.float32:
            raise ValueError(f"input is {tensor.dtype} {tensor.shape}; allowed is {self._shape}")
        try:
            memory = self._free.pop()
        except IndexError:
            memory = aligned(plan.memory_floats)
            memory[:] = 0  # also beside the image
        image = memory[: np.prod(plan.image_shape)].reshape(plan.image_shape)
        image[:, self._pad :, self._pad :][:, :height, :width] = tensor[0]
        floats = np.empty(plan.result_ends[-1], np.float32)
        pointers = (array.ctypes.data for array in (self._tables, memory, floats))
        self._run(self._lanes, *pointers)
        self._free.append(memory)
        results = []
        parts = np.split(floats, plan.result_ends[1:-1])
        for part, (shape, is_sigmoid) in zip(parts, self._results, strict=True):
            if is_sigmoid:
                part[:] = 1 / (1 + np.exp(np.minimum(-part, 88)))  # as far as float32 goes
            results.append(part.reshape(shape))
        return results
