"""Run MediaPipe Pose's own graph on frames from standard input; needs MediaPipe's environment.

Each frame is its height and width (two little-endian uint32) and then its RGB bytes. At the end
of the input the arrays described in test/golden/README.md are written as one .npz file.
"""

from __future__ import annotations

import argparse
import importlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

GRAPH = "mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb"
COMPLEXITY = {"lite": 0, "full": 1, "heavy": 2}
CONFIDENCE = 0.5
# Of MediaPipe's own simulated clock, see solution_base.py
FRAME_NS = 33_333_000
# Options that MediaPipe's Python package silently drops, since it doesn't import their modules;
# without them the graph runs with a heatmap kernel of 9 and no smoothing of masks.
DROPPED_OPTIONS = (
    "mediapipe.calculators.util.refine_landmarks_from_heatmap_calculator_pb2",
    "mediapipe.calculators.image.segmentation_smoothing_calculator_pb2",
)
STREAMS = {
    "landmarks": "pose_landmarks",
    "world": "pose_world_landmarks",
    "roi": "pose_rect",
    "next_roi": "pose_rect_from_landmarks",
    "detection": "pose_detection",
}
MASK = "segmentation_mask"
Values = npt.NDArray[Any]


def read_frames(stream: BinaryIO) -> Iterator[Values]:
    """Give the frames (H, W, 3) uint8 until the stream ends."""
    while header := stream.read(8):
        height, width = struct.unpack("<II", header)
        data = stream.read(height * width * 3)
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def make_graph(model: str, mode: str, with_mask: bool) -> Any:
    """Start the graph with the options that `mp.solutions.pose.Pose` gives it."""
    solution_base = importlib.import_module("mediapipe.python.solution_base")
    by_roi = "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation"
    return solution_base.SolutionBase(
        binary_graph_path=GRAPH,
        side_inputs={
            "model_complexity": COMPLEXITY[model],
            "smooth_landmarks": mode == "smooth",
            "enable_segmentation": with_mask,
            "smooth_segmentation": mode == "smooth",
            "use_prev_landmarks": mode != "static",
        },
        calculator_params={
            "posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": CONFIDENCE,
            f"{by_roi}__ThresholdingCalculator.threshold": CONFIDENCE,
        },
        outputs=[*STREAMS.values(), *([MASK] if with_mask else [])],
    )


def one_frame(outputs: Any) -> dict[str, Values]:
    """Arrange what the graph gave for one frame; NaN where it gave nothing."""
    given = {name: getattr(outputs, stream) for name, stream in STREAMS.items()}
    detection = given["detection"]
    return {
        "landmarks": _points(given["landmarks"], "x y z visibility presence"),
        "world": _points(given["world"], "x y z visibility"),
        "roi": _rect(given["roi"]),
        "next_roi": _rect(given["next_roi"]),
        "detected": np.array(detection is not None),
        "detector_score": np.array(detection.score[0] if detection else np.nan, np.float32),
        "detector_keypoints": _keypoints(detection),
        "found": np.array(given["landmarks"] is not None),
    }


def _points(message: Any, fields: str) -> Values:
    names = fields.split()
    if message is None:
        return np.full((33, len(names)), np.nan, np.float32)
    rows = [[getattr(point, name) for name in names] for point in message.landmark]
    return np.array(rows, np.float32)


def _rect(message: Any) -> Values:
    names = ("x_center", "y_center", "width", "height", "rotation")
    return np.array([getattr(message, name, np.nan) for name in names], np.float32)


def _keypoints(detection: Any) -> Values:
    if detection is None:
        return np.full((4, 2), np.nan, np.float32)
    points = detection.location_data.relative_keypoints
    return np.array([(point.x, point.y) for point in points], np.float32)


def run(graph: Any, frames: Iterator[Values], mask_frames: set[int]) -> dict[str, Values]:
    """Run the graph over the frames and stack what it gives."""
    rows, masks = [], []
    for index, frame in enumerate(frames):
        outputs = graph.process({"image": frame})
        rows.append(one_frame(outputs))
        if index in mask_frames:
            masks.append(outputs.segmentation_mask.copy())
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    arrays["timestamp_ns"] = FRAME_NS * np.arange(1, len(rows) + 1, dtype=np.int64)
    return arrays | ({"mask": np.stack(masks)} if masks else {})


def save(path: str | Path, arrays: dict[str, Values]) -> None:
    """Write a compressed .npz file."""
    keywords: dict[str, Any] = dict(arrays)
    np.savez_compressed(path, **keywords)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Run MediaPipe Pose on frames from stdin.")
    parser.add_argument("out", help="the .npz file to write")
    parser.add_argument("--model", choices=tuple(COMPLEXITY), required=True)
    parser.add_argument("--mode", choices=("static", "raw", "smooth"), required=True)
    parser.add_argument("--kernel", type=int, choices=(7, 9), default=9)
    parser.add_argument("--mask-frames", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.kernel == 7:
        for module in DROPPED_OPTIONS:
            importlib.import_module(module)
    graph = make_graph(arguments.model, arguments.mode, bool(arguments.mask_frames))
    frames = read_frames(sys.stdin.buffer)
    save(arguments.out, run(graph, frames, set(arguments.mask_frames)))


if __name__ == "__main__":
    main()
