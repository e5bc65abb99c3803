"""The figures of a benchmark as tables, and when, where and with what they were measured."""

from __future__ import annotations

import argparse
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmark.hide_avx512 import is_hidden
from benchmark.runner import DETECTOR, STAGES
from pose_ros.blazepose.datatypes import ImageSize

_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
_RUNTIMES = ("onnxruntime", "onnxruntime-openvino")

# Tables


def core_rows(models: Mapping[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return a row per model: ratios first, then ours, then MediaPipe's."""
    return [
        {
            "model": model,
            **_ratio_columns("", figures.get("ratio")),
            **(
                _ratio_columns("before ", ratios)
                if (ratios := figures.get("ratio_before"))
                else {}
            ),
            **_engine_columns("", figures["pose_ros"]),
            **_engine_columns("mp ", figures.get("mediapipe")),
            "frames": str(figures["frames"]),
        }
        for model, figures in models.items()
    ]


def _ratio_columns(prefix: str, ratios: Mapping[str, float] | None) -> dict[str, str]:
    return {
        f"{prefix}{name} ratio": f"x{ratios[name]:.2f}" if ratios else "-"
        for name in ("cpu", "wall")
    }


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


def stage_rows(models: Mapping[str, dict[str, Any]]) -> list[dict[str, str]]:
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


def node_rows(scenarios: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "image": "{}x{}".format(*row["size"]),
            "camera": f"{row['camera_hz']:.1f} Hz" + ("" if row["is_paced"] else " (unpaced)"),
            "annotated": "yes" if row["is_annotated"] else "no",
            "processed": f"{row['processed']}/{row['sent']}",
            "rate": f"{row['processed_hz']:.1f} Hz",
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
    if is_hidden():
        flags = {flag for flag in flags if not flag.startswith(("avx512", "amx"))}
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


def image_size(text: str) -> ImageSize:
    """Return the size that an argument such as 1280x720 means."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 1280x720")
    return ImageSize(int(match[1]), int(match[2]))
