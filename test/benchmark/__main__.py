"""Measure the pipeline on a real video against MediaPipe, or the node over real DDS."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import media

from benchmark.core import BenchmarkError, CoreBenchmark, CoreSettings
from benchmark.report import circumstances, core_rows, image_size, node_rows, stage_rows, table
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.tools.arguments import positive_count, positive_number
from pose_ros.tools.frames import open_frames

_SIZES = (ImageSize(640, 480), ImageSize(1280, 720), ImageSize(1920, 1080))


def main(args: list[str] | None = None) -> int:
    """Measure what the command line asks for, print it, and return the exit code."""
    options = _parser().parse_args(args)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark_") as folder:
            report = {**circumstances(options), **options.measure(options, Path(folder))}
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    except (BenchmarkError, PoseError, OSError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    return 0


def measure_core(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the pipeline, print tables, and return the figures."""
    if options.mediapipe:
        _check_mediapipe(options.mediapipe)
    settings = CoreSettings(
        frames=open_frames(options.video),
        size=options.size,
        count=options.frames,
        warm_up=options.warm_up,
        models=tuple(options.models),
        threads=options.threads,
        providers=tuple(options.providers),
        inference=options.inference,
        mediapipe=options.mediapipe,
        before=options.before,
    )
    benchmark = CoreBenchmark(settings, folder)
    if not options.mediapipe:
        benchmark.notes.append(
            "no ratios: --mediapipe takes the Python of an environment with mediapipe 0.10.21"
        )
    models = benchmark.measure()
    print(table(core_rows(models)))
    print()
    print(table(stage_rows(models)))
    for note in benchmark.notes:
        print(note)
    return {"models": models, "notes": benchmark.notes}


def measure_node(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the node, print tables, and return the figures."""
    try:
        from benchmark.node import NodeBenchmark
        from pose_ros.runtime import run
        from pose_ros.tools.children import isolate
    except ImportError as error:
        raise BenchmarkError(f"the node needs ROS 2, which is missing ({error})") from error
    open_frames(options.video)
    isolate()
    run.init([])
    figures: dict[str, Any] | None = None
    try:
        with run.until_shutdown():
            benchmark = NodeBenchmark(options.video, options.model, options.duration, folder)
            figures = benchmark.measure(tuple(options.sizes))
    finally:
        run.shutdown()
    if figures is None:
        raise BenchmarkError("interrupted")
    print(table(node_rows(figures["scenarios"])))
    idle = figures["idle"]
    print(
        f"nobody subscribed, camera at 30 Hz: {idle['cpu_share']:.1%} of a core, "
        f"camera {'released' if idle['camera_released'] else 'kept'}; "
        f"first landmarks {idle['wake_up_s']:.2f} s after the first subscriber"
    )
    return figures


# Command line


def _check_mediapipe(python: Path) -> None:
    command = [str(python), "-c", "from importlib.metadata import version; version('mediapipe')"]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        raise BenchmarkError(f"{python} has no mediapipe: pip install mediapipe==0.10.21 there")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="core|node")
    core = commands.add_parser("core", help="tracked frames, in turn with MediaPipe")
    core.set_defaults(measure=measure_core)
    core.add_argument("--size", type=image_size, default=ImageSize(1280, 720), metavar="WxH")
    core.add_argument(
        "--frames", type=positive_count, default=200, metavar="N", help="default: 200"
    )
    core.add_argument(
        "--warm-up", type=positive_count, default=10, metavar="N", help="default: 10"
    )
    core.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    core.add_argument("--threads", type=positive_count, default=1, metavar="N", help="default: 1")
    core.add_argument("--providers", nargs="+", default=["CPUExecutionProvider"], metavar="NAME")
    core.add_argument("--inference", default="auto", choices=("auto", "onnxruntime"))
    core.add_argument(
        "--mediapipe", type=Path, metavar="PYTHON", help="Python that has mediapipe 0.10.21"
    )
    core.add_argument(
        "--before", type=Path, metavar="TREE", help="another source tree, to take turns with too"
    )
    node = commands.add_parser("node", help="the node, from the camera to the landmarks")
    node.set_defaults(measure=measure_node)
    node.add_argument("--sizes", type=image_size, nargs="+", default=list(_SIZES), metavar="WxH")
    node.add_argument(
        "--duration", type=positive_number, default=3.0, metavar="S", help="default: 3"
    )
    node.add_argument("--model", choices=tuple(MODELS), default="full")
    for command in (core, node):
        clip = str(media.path("person"))
        command.add_argument("--video", default=clip, metavar="FILE", help="default: a test clip")
        command.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
