"""What a tracked frame costs: each model in a process of its own, in turn with MediaPipe."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from benchmark import runner as runner_module
from benchmark.runner import DETECTOR, MEDIAPIPE_MODELS, STAGES
from pose_ros.blazepose.datatypes import ImageArray, ImageSize
from pose_ros.runtime.package_paths import share_path
from pose_ros.tools.frame import FrameSource

FRAME_NS = 33_333_333
_OURS, _THEIRS, _BEFORE = "pose_ros", "mediapipe", "before"


class BenchmarkError(Exception):
    """A measurement was not possible; the text says why."""


@dataclass(frozen=True)
class CoreSettings:
    """What is measured, on which frames.

    `mediapipe` is the Python that has it, `before` another source tree of this project; or None.
    """

    frames: FrameSource
    size: ImageSize
    count: int
    warm_up: int
    models: tuple[str, ...]
    threads: int
    providers: tuple[str, ...]
    inference: str
    mediapipe: Path | None
    before: Path | None


class SharedFrame:
    """One image in a file that the runners map, so that no frame is sent to them."""

    def __init__(self, path: Path, size: ImageSize) -> None:
        self.path, self.size = path, size
        self.shape = (size.height_px, size.width_px, 3)
        self._image = np.memmap(path, np.uint8, "w+", shape=self.shape)

    def show(self, image: ImageArray) -> None:
        """Put an image of any size there, scaled."""
        cv2.resize(image, self.size, dst=self._image, interpolation=cv2.INTER_AREA)


class Runner:
    """A process that tracks frame by frame. Raises BenchmarkError if it fails."""

    def __init__(
        self, python: Path, engine: str, settings: dict[str, Any], frame: SharedFrame, log: Path
    ) -> None:
        self._log = log
        values = {**settings, "engine": engine, "image": str(frame.path), "shape": frame.shape}
        own = engine == _OURS
        # without -I the other environment would find this folder's modules before its own
        program = ["-m", runner_module.__name__] if own else ["-I", runner_module.__file__]
        self.started_s = time.monotonic()
        with log.open("wb") as messages:
            self._process = subprocess.Popen(
                [python, *program, json.dumps(values)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
            )

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def track(self, timestamp_ns: int) -> dict[str, Any]:
        """Track the frame that is shown now; return what it cost."""
        stamps, costs = self._process.stdin, self._process.stdout
        assert stamps is not None
        assert costs is not None
        try:
            stamps.write(f"{timestamp_ns}\n")
            stamps.flush()
            cost: dict[str, Any] = json.loads(costs.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            self._process.wait()
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise BenchmarkError(lines[-1] if lines else "the process ended") from None
        return cost


@dataclass
class _Track:
    """The costs of one runner's frames, and the time from its start to its first pose."""

    runner: Runner
    costs: list[dict[str, Any]] = field(default_factory=list)
    start_up_s: float | None = None

    def advance(self, timestamp_ns: int) -> None:
        cost = self.runner.track(timestamp_ns)
        if self.start_up_s is None and cost["has_pose"]:
            self.start_up_s = time.monotonic() - self.runner.started_s
        self.costs.append(cost)


class CoreBenchmark:
    """Measures models one after the other; `notes` lists what could not be measured."""

    def __init__(self, settings: CoreSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._frame = SharedFrame(folder / "frame", settings.size)
        self.notes: list[str] = []

    def measure(self) -> dict[str, dict[str, Any]]:
        """Return the figures of each model. Raises BenchmarkError and ImageError."""
        return {model: self._measure_model(model) for model in self._settings.models}

    def _measure_model(self, model: str) -> dict[str, Any]:
        try:
            return self._compare(model, with_mediapipe=model in MEDIAPIPE_MODELS)
        except _MediaPipeError as error:
            self.notes.append(f"no ratios for {model}: MediaPipe failed: {error}")
            return self._compare(model, with_mediapipe=False)

    def _compare(self, model: str, with_mediapipe: bool) -> dict[str, Any]:
        count, warm_up = self._settings.count, self._settings.warm_up
        tracked = self._play(model, with_mediapipe, count + warm_up, static=False)
        detected = self._play(model, with_mediapipe, warm_up + max(1, count // 10), static=True)
        return _figures(tracked, detected, warm_up, model)

    def _play(
        self, model: str, with_mediapipe: bool, count: int, static: bool
    ) -> dict[str, _Track]:
        """Give every frame to all runners, each of them first in turn."""
        settings = {
            "model": model,
            "static": static,
            "threads": self._settings.threads,
            "providers": self._settings.providers,
            "inference": self._settings.inference,
            "models_dir": str(share_path("models")),
            "before": str(self._settings.before),
        }
        pythons = self._pythons(with_mediapipe)
        with ExitStack() as stack:
            tracks: dict[str, _Track] = {}
            for number, image in enumerate(islice(self._images(count), count)):
                self._frame.show(image)
                for engine in list(pythons)[:: -1 if number % 2 else 1]:
                    if engine not in tracks:
                        log = self._folder / f"{engine}.log"
                        runner = Runner(pythons[engine], engine, settings, self._frame, log)
                        tracks[engine] = _Track(stack.enter_context(runner))
                    _advance(engine, tracks[engine], (number + 1) * FRAME_NS)
        return tracks

    def _pythons(self, with_mediapipe: bool) -> dict[str, Path]:
        pythons = {_OURS: Path(sys.executable)}
        if with_mediapipe and self._settings.mediapipe:
            pythons[_THEIRS] = self._settings.mediapipe
        if self._settings.before:
            pythons[_BEFORE] = Path(sys.executable)
        return pythons

    def _images(self, count: int) -> Iterator[ImageArray]:
        """Yield the video's frames, from the start again after the end."""
        for _ in range(count):
            yield from (frame.image for frame in self._settings.frames)


class _MediaPipeError(BenchmarkError):
    """The other side failed; ours can still be measured."""


def _advance(engine: str, track: _Track, timestamp_ns: int) -> None:
    try:
        track.advance(timestamp_ns)
    except BenchmarkError as error:
        raise (_MediaPipeError if engine == _THEIRS else BenchmarkError)(str(error)) from None


def _figures(
    tracked: dict[str, _Track], detected: dict[str, _Track], warm_up: int, model: str
) -> dict[str, Any]:
    """Return the figures over the frames after the warm-up that every engine tracked."""
    rows = list(zip(*(track.costs[warm_up:] for track in tracked.values()), strict=True))
    kept = [row for row in rows if all(cost["has_pose"] for cost in row)]
    kept = [row for row in kept if DETECTOR not in row[0]["stage_ms"]]
    if not kept:
        raise BenchmarkError(f"{model} tracked nobody in {len(rows)} frames of the video")
    costs = dict(zip(tracked, zip(*kept, strict=True), strict=True))
    figures: dict[str, Any] = {"frames": len(kept)}
    for engine, track in tracked.items():
        figures[engine] = {
            "cpu_ms": _median_and_p95([cost["cpu_ms"] for cost in costs[engine]]),
            "wall_ms": _median_and_p95([cost["wall_ms"] for cost in costs[engine]]),
            "detected_frame_cpu_ms": _median_of(detected[engine].costs[warm_up:], "cpu_ms"),
            "start_up_s": track.start_up_s,
            "peak_mb": track.costs[-1]["peak_mb"],
        }
    figures["stage_cpu_ms"] = _stages(costs[_OURS], detected[_OURS].costs[warm_up:])
    for ratio, engine in ("ratio", _THEIRS), ("ratio_before", _BEFORE):
        if engine in tracked:
            figures[ratio] = {
                name: _median_ratio(costs[engine], costs[_OURS], f"{name}_ms")
                for name in ("cpu", "wall")
            }
    return figures


def _stages(
    tracked: tuple[dict[str, Any], ...], detected: list[dict[str, Any]]
) -> dict[str, float]:
    """Return the median of each stage; the detector's from the frames where it ran."""
    medians = {}
    for stage in STAGES:
        costs = detected if stage == DETECTOR else tracked
        medians[stage] = float(np.median([cost["stage_ms"].get(stage, 0.0) for cost in costs]))
    return medians


def _median_and_p95(values: list[float]) -> dict[str, float]:
    median, p95 = np.percentile(values, (50, 95))
    return {"median": float(median), "p95": float(p95)}


def _median_of(costs: list[dict[str, Any]], key: str) -> float:
    return float(np.median([cost[key] for cost in costs]))


def _median_ratio(
    theirs: tuple[dict[str, Any], ...], ours: tuple[dict[str, Any], ...], key: str
) -> float:
    return float(np.median([a[key] / b[key] for a, b in zip(theirs, ours, strict=True)]))
