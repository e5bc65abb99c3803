"""Measure the pipeline on a real video against MediaPipe, or the node over real DDS."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.models import MODELS
from pose_ros.share import share_path
from pose_ros.tools.benchmark_core import BenchmarkError, CoreBenchmark, CoreSettings
from pose_ros.tools.benchmark_runner import DETECTOR, STAGES
from pose_ros.tools.frames import open_frames

_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
_RUNTIMES = ("onnxruntime", "onnxruntime-openvino")
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
        mediapipe=options.mediapipe,
    )
    benchmark = CoreBenchmark(settings, folder)
    if not options.mediapipe:
        benchmark.notes.append(
            "no ratios: --mediapipe takes the Python of an environment with mediapipe 0.10.21"
        )
    models = benchmark.measure()
    print(table(_core_rows(models)))
    print()
    print(table(_stage_rows(models)))
    for note in benchmark.notes:
        print(note)
    return {"models": models, "notes": benchmark.notes}


def measure_node(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the node, print tables, and return the figures."""
    try:
        from pose_ros import spinning
        from pose_ros.tools.benchmark_node import NodeBenchmark
        from pose_ros.tools.children import isolate
    except ImportError as error:
        raise BenchmarkError(f"the node needs ROS 2, which is not here ({error})") from error
    open_frames(options.video)
    isolate()
    spinning.init([])
    try:
        benchmark = NodeBenchmark(options.video, options.model, options.duration, folder)
        figures = benchmark.measure(tuple(options.sizes))
    finally:
        spinning.shutdown()
    print(table(_node_rows(figures["scenarios"])))
    idle = figures["idle"]
    print(
        f"nobody subscribed, camera at 30 Hz: {idle['cpu_share']:.1%} of a core, "
        f"camera {'let go' if idle['camera_let_go'] else 'kept'}; "
        f"first landmarks {idle['wake_up_s']:.2f} s after somebody subscribed"
    )
    return figures


# Tables


def _core_rows(models: Mapping[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return what is told of each model: ratios first, then ours, then MediaPipe's."""
    return [
        {
            "model": model,
            **{
                f"{name} ratio": f"x{figures['ratio'][name]:.2f}" if "ratio" in figures else "-"
                for name in ("cpu", "wall")
            },
            **_engine_columns("", figures["pose_ros"]),
            **_engine_columns("mp ", figures.get("mediapipe")),
            "frames": str(figures["frames"]),
        }
        for model, figures in models.items()
    ]


def _engine_columns(prefix: str, figures: Mapping[str, Any] | None) -> dict[str, str]:
    if figures is None:
        names = ("cpu ms (p95)", "wall ms (p95)", "detected ms", "start s", "peak MB")
        return {f"{prefix}{name}": "-" for name in names}
    start_up_s = figures["start_up_s"]
    return {
        f"{prefix}cpu ms (p95)": _median_p95(figures["cpu_ms"]),
        f"{prefix}wall ms (p95)": _median_p95(figures["wall_ms"]),
        f"{prefix}detected ms": f"{figures['detected_frame_cpu_ms']:.1f}",
        f"{prefix}start s": "-" if start_up_s is None else f"{start_up_s:.2f}",
        f"{prefix}peak MB": f"{figures['peak_mb']:.0f}",
    }


def _stage_rows(models: Mapping[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return the CPU time of the stages, and what all but the inference add to it."""
    rows = []
    for model, figures in models.items():
        stages = figures["stage_cpu_ms"]
        tracked = sum(ms for stage, ms in stages.items() if stage != DETECTOR)
        outside = 1 - stages["inference"] / tracked
        rows.append(
            {
                "CPU ms": model,
                "outside inference": f"{outside:.1%}",
                **{stage: f"{stages[stage]:.2f}" for stage in STAGES},
            }
        )
    return rows


def _node_rows(scenarios: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "image": "{}x{}".format(*row["size"]),
            "camera": f"{row['camera_hz']:.1f} Hz" + ("" if row["is_paced"] else " (unpaced)"),
            "annotated": "yes" if row["is_annotated"] else "no",
            "answered": f"{row['answered']}/{row['sent']}",
            "rate": f"{row['answered_hz']:.1f} Hz",
            "latency ms (p95)": _median_p95(row["latency_ms"]),
            "core ms": f"{row['core_ms']:.1f}",
            **{
                f"{stage} ms": "-" if value is None else f"{value:.1f}"
                for stage, value in row["node_stage_ms"].items()
            },
            "node CPU ms": f"{row['node_cpu_ms']:.1f}",
        }
        for row in scenarios
    ]


def _median_p95(figures: Mapping[str, float]) -> str:
    return f"{figures['median']:.1f} ({figures['p95']:.1f})"


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows with the same columns as text, aligned."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


# Circumstances


def circumstances(options: argparse.Namespace) -> dict[str, Any]:
    """Return when, where and with what is measured."""
    settings = {key: value for key, value in vars(options).items() if key != "measure"}
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            **{name: version for name in _RUNTIMES if (version := _version(name))},
        },
        "settings": {key: _plain(value) for key, value in settings.items()},
    }


def _machine() -> dict[str, Any]:
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        cpu_info = ""
    name = re.search(r"model name\s*: (.*)", cpu_info)
    flags = set(cpu_info.split())
    return {
        "cpu": name[1] if name else platform.processor(),
        "cores": os.cpu_count(),
        "flags": [flag for flag in _CPU_FLAGS if flag in flags],
        "load_average": os.getloadavg()[0],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


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
    core.add_argument("--frames", type=_count, default=200, metavar="N", help="default: 200")
    core.add_argument("--warm-up", type=_count, default=10, metavar="N", help="default: 10")
    core.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    core.add_argument("--threads", type=_count, default=1, metavar="N", help="default: 1")
    core.add_argument("--providers", nargs="+", default=["CPUExecutionProvider"], metavar="NAME")
    core.add_argument(
        "--mediapipe", type=Path, metavar="PYTHON", help="Python that has mediapipe 0.10.21"
    )
    node = commands.add_parser("node", help="the node, from the camera to the landmarks")
    node.set_defaults(measure=measure_node)
    node.add_argument("--sizes", type=image_size, nargs="+", default=list(_SIZES), metavar="WxH")
    node.add_argument("--duration", type=_seconds, default=3.0, metavar="S", help="default: 3")
    node.add_argument("--model", choices=tuple(MODELS), default="full")
    for command in (core, node):
        clip = str(share_path("demo") / "person.mp4")
        command.add_argument("--video", default=clip, metavar="FILE", help="default: our clip")
        command.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser


def image_size(text: str) -> ImageSize:
    """Return the size that an argument such as 1280x720 means."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 1280x720")
    return ImageSize(int(match[1]), int(match[2]))


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value


if __name__ == "__main__":
    sys.exit(main())
