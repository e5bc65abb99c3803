"""MediaPipe Pose itself, run on given frames in a virtual environment of its own.

It needs numpy < 2, so it can't live in the environment that runs the project.
"""

from __future__ import annotations

import contextlib
import importlib
import struct
import subprocess
import sys
import tempfile
import venv
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).resolve().parent
CONVERTER_FOLDER = FOLDER.parents[1] / "models"
ENVIRONMENT = FOLDER / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
READY = ENVIRONMENT / ".ready"
REQUIREMENTS = FOLDER / "requirements.txt"
MODELS = ("lite", "full", "heavy")
PYTHON_VERSIONS = ((3, 9), (3, 12))

Image = npt.NDArray[np.uint8]
Arrays = dict[str, npt.NDArray[Any]]


class MediaPipeError(Exception):
    """MediaPipe's environment can't be made, or MediaPipe failed in it; the text says why."""


def ensure_environment() -> None:
    """Make the environment, unless the one of these requirements is complete."""
    requirements = REQUIREMENTS.read_text()
    if READY.is_file() and READY.read_text() == requirements:
        return
    oldest, newest = PYTHON_VERSIONS
    if not oldest <= sys.version_info[:2] <= newest:
        raise MediaPipeError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}; "
            f"MediaPipe 0.10.21 exists for 3.{oldest[1]} to 3.{newest[1]}"
        )
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
    if subprocess.run(install, check=False).returncode:
        raise MediaPipeError(f"pip cannot install {REQUIREMENTS.name}; its output is above")
    _install_models()
    READY.write_text(requirements)


def _install_models() -> None:
    """Put the landmark models where MediaPipe looks for them; its package has only `full`."""
    sys.path.append(str(CONVERTER_FOLDER))
    convert = importlib.import_module("convert")  # needs onnx, which a comparison does not
    pattern = "lib/python3.*/site-packages/mediapipe/modules/pose_landmark"
    (folder,) = ENVIRONMENT.glob(pattern)
    for name in MODELS:
        try:
            data = convert.read_source(convert.MODELS[name].source, convert.CACHE_DIR)
        except convert.ConversionError as error:
            raise MediaPipeError(str(error)) from error
        (folder / f"pose_landmark_{name}.tflite").write_bytes(data)


def run_mediapipe(
    frames: Iterable[Image],
    model: str,
    mode: str,
    kernel: int = 9,
    mask_frames: Collection[int] = (),
) -> Arrays:
    """Run MediaPipe on RGB frames: arrays as test/golden/README.md describes them.

    `mode` is static, raw or smooth; `kernel` that of the heatmap refinement, 9 as MediaPipe's
    Python package has it. `mask` (M, H, W) float32 is there if `mask_frames` are asked for.
    """
    ensure_environment()
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "arrays.npz", Path(folder) / "log"
        command = [str(PYTHON), str(FOLDER / "run_graph.py"), str(out)]
        command += ["--model", model, "--mode", mode, "--kernel", str(kernel)]
        command += ["--mask-frames", *map(str, mask_frames)]
        if _feed(command, frames, log):
            raise MediaPipeError(f"MediaPipe failed:\n{log.read_text()}")
        with np.load(out) as arrays:
            return dict(arrays)


def _feed(command: list[str], frames: Iterable[Image], log: Path) -> int:
    """Write the frames to a process and return its exit code, its messages go to `log`."""
    with log.open("wb") as messages:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            for frame in frames:
                pipe.write(struct.pack("<II", *frame.shape[:2]))
                pipe.write(frame.tobytes())
        return process.wait()
