"""What share of a core's float32 peak the networks reach: `python test/benchmark/roofline.py`.

The peak is that of multiplications and additions in registers, compiled for this processor by cc.
It and the networks of the models take turns on one thread. Of their CPU times the median counts.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark.hide_avx512 import is_hidden
from pose_ros.blazepose.engine_model import EngineModel
from pose_ros.blazepose.inference import Network, Shapes
from pose_ros.blazepose.landmarker import Landmarker
from pose_ros.blazepose.model_files import model_path
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions

SOURCE = Path(__file__).with_name("peak.c")
PEAK_ROUNDS = 2_000_000


def main() -> int:
    """Measure, and print a line for each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    asked = parser.parse_args()
    runs = dict(_inference(*case) for case in product(asked.models, ("onnxruntime", "auto")))
    with tempfile.TemporaryDirectory() as folder:
        peak, peak_operations = _peak(Path(folder))
        costs_s = [[_timed_s(run) for run in (peak, *runs.values())] for _ in range(asked.rounds)]
    peak_s, *medians_s = np.median(costs_s, axis=0)
    peak_gflops = peak_operations / peak_s / 1e9
    hidden = ", AVX-512 hidden" if is_hidden() else ""
    print(f"load average {os.getloadavg()[0]:.1f}{hidden}: peak {peak_gflops:.1f} GFLOP/s")
    for (model, runtime), median_s in zip(runs, medians_s, strict=True):
        operations = 2 * multiply_adds(model_path(MODELS[model].file))
        print(
            f"{model:10} {operations / 2e6:6.0f} million multiply-adds, {runtime:15} "
            f"{1000 * median_s:5.2f} ms: {operations / median_s / 1e9:5.1f} GFLOP/s, "
            f"{operations / median_s / 1e9 / peak_gflops:.0%} of the peak"
        )
    return 0


def multiply_adds(path: Path) -> int:
    """Return those of a graph's convolutions, without the identities that reshape or clip."""
    graph = shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            weights = constants[casts.get(node.input[1], node.input[1])]
            if not np.isin(weights, (0, 1)).all():
                total += math.prod(shapes[node.output[0]]) * math.prod(weights.shape[1:])
    return total


def _inference(model: str, inference: str) -> tuple[tuple[str, str], Callable[[], object]]:
    """Return the model and what runs it, and a run of its network on a gray image."""
    networks: list[tuple[EngineModel, Shapes]] = []

    def load(file: str, inputs: Shapes, outputs: Shapes) -> Network:
        options = ModelOptions(model=model, inference=inference)
        networks.append((EngineModel(file, inputs, outputs, options), inputs))
        return networks[-1][0]

    Landmarker(MODELS[model], 9, load)
    ((network, inputs),) = networks
    tensor = np.full(inputs["image"], 0.5, np.float32)
    return (model, network.runtime), lambda: network.run(tensor)


def _peak(folder: Path) -> tuple[Callable[[], object], float]:
    """Return a loop that reaches the peak, and how many operations it takes."""
    library = folder / "peak.so"
    processor = "haswell" if is_hidden() else "native"
    flags = "-O3", f"-march={processor}", "-ffast-math", "-shared", "-fPIC"
    # cc handles the signal itself that hiding needs
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run(["cc", *flags, "-o", library, SOURCE], check=True, env=environment)
    function = ctypes.CDLL(str(library)).pose_ros_peak
    function.argtypes = ctypes.c_int64, ctypes.POINTER(ctypes.c_float)
    function.restype = ctypes.c_double
    term = ctypes.c_float(1e-3)
    return lambda: function(PEAK_ROUNDS, ctypes.byref(term)), function(1, term) * PEAK_ROUNDS


def _timed_s(run: Callable[[], object]) -> float:
    start_ns = time.process_time_ns()
    run()
    return (time.process_time_ns() - start_ns) / 1e9


if __name__ == "__main__":
    sys.exit(main())
