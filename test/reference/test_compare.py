"""The comparison with MediaPipe, and the way to its environment; all without MediaPipe itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compare
import make
import media
import mediapipe_pose
import numpy as np
import numpy.typing as npt
import pytest

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import FULL_BODY

GOLDEN = Path(__file__).parents[1] / "golden"
BLACK = range(18, 22)  # the frames of astronaut_moving without a person
VISIBILITY = 1e-3  # with the reference's ROI: only the inference kernels differ
KERNEL = 9  # as MediaPipe's Python package runs the models

Arrays = dict[str, npt.NDArray[Any]]


def golden(stem: str) -> Arrays:
    with np.load(GOLDEN / f"{stem}.npz") as arrays:
        return dict(arrays)


def test_every_golden_file_of_the_present_mediapipe_has_its_recipe() -> None:
    """Those of `upper_body` are of an older MediaPipe."""
    files = {file.stem for file in GOLDEN.glob("*.npz") if not file.stem.startswith("upper_body")}
    assert {Path(recipe.file).stem for recipe in make.recipes()} == files


# The comparison command


def compared(reference: Arrays, name: str, mode: str, is_forced: bool = False) -> Any:
    """Compare `lite` with a reference, on the frames of an input."""
    options = PoseTrackerOptions(
        model="lite",
        heatmap_kernel=KERNEL,
        static_image_mode=mode == "static",
        smooth_landmarks=mode == "smooth",
    )
    tracker = PoseTracker(options)
    return compare.compare(media.frames(name), reference, tracker, is_forced)


def test_a_comparison_measures_pixels_visibility_and_millimeters() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    assert np.nanmax(compared(reference, "astronaut", "static").distances["px"]) < 0.5
    reference["landmarks"][0, :, 0] += 3 / 512
    reference["world"][0, :, 1] += 0.02
    reference["landmarks"][0, 0, 3] = 0.9
    distances = compared(reference, "astronaut", "static").distances
    assert np.nanmedian(distances["px"]) == pytest.approx(3, abs=0.05)
    assert np.nanmedian(distances["world mm"]) == pytest.approx(20, abs=0.5)
    assert distances["visibility"][0, 0] == pytest.approx(0.1, abs=0.01)


def test_a_comparison_leaves_out_what_the_reference_calls_invisible() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    hidden = reference["landmarks"][:, :, 3] <= 0.5
    assert hidden.any()
    for values in compared(reference, "astronaut", "static").distances.values():
        assert np.array_equal(np.isnan(values), hidden)


def test_a_comparison_names_the_frames_in_which_only_one_sees_a_pose() -> None:
    media.require("astronaut")
    reference = golden("lite__astronaut__static")
    assert compared(reference, "astronaut", "static").presence_differs == []
    reference["found"][0] = False
    comparison = compared(reference, "astronaut", "static")
    assert comparison.presence_differs == [0]
    assert np.isnan(comparison.distances["px"]).all()


def test_a_comparison_judges_visibility_and_world_up_to_the_first_loss() -> None:
    media.require("astronaut_moving")
    reference = golden("lite__astronaut_moving__smooth")
    distances = compared(reference, "astronaut_moving", "smooth", is_forced=True).distances
    seen = {value: np.isfinite(rows).any(axis=1) for value, rows in distances.items()}
    assert np.flatnonzero(~seen["px"]).tolist() == list(BLACK)
    for value in ("visibility", "world mm"):
        assert np.flatnonzero(seen[value]).tolist() == list(range(BLACK.start))
    assert np.nanmax(distances["visibility"]) <= VISIBILITY


def test_the_table_has_a_line_per_landmark_and_one_for_all() -> None:
    px = np.full((4, 33), np.nan)
    px[:, 0], px[:2, 32] = (1, 2, 3, 40), (5, 6)
    rows = {"px": px, "visibility": px / 1000, "world mm": px}
    lines = compare.table(compare.Comparison(rows, [2]), FULL_BODY.names)
    values, heads, *landmarks, everything, presence = lines
    assert values.split() == ["px", "visibility", "world", "mm"]
    assert heads.split() == ["landmark", "frames", *(["median", "p95", "max"] * 3)]
    assert [line.split()[0] for line in landmarks] == list(FULL_BODY.names)
    assert landmarks[0].split()[:5] == ["nose", "4", "2.5", "34", "40"]
    assert landmarks[1].split()[1:] == ["0", *["-"] * 9]
    assert everything.split()[:2] == ["all", "6"]
    assert presence.endswith("only one of both sees a pose: [2]")


# MediaPipe's environment


def test_frames_reach_the_other_process_unchanged(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((2, 5), (300, 401))]
    out = tmp_path / "frames.npz"
    code = (
        f"import sys, numpy; sys.path.insert(0, {str(mediapipe_pose.FOLDER)!r}); "
        "import run_graph; "
        f"numpy.savez({str(out)!r}, *run_graph.read_frames(sys.stdin.buffer))"
    )
    assert mediapipe_pose._feed([sys.executable, "-c", code], images, tmp_path / "log") == 0
    with np.load(out) as received:
        assert len(received.files) == len(images)
        for image, other in zip(images, received.values(), strict=True):
            assert np.array_equal(image, other)


def test_a_failure_of_the_other_process_is_reported_with_its_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mediapipe_pose, "ensure_environment", lambda: None)
    monkeypatch.setattr(mediapipe_pose, "PYTHON", Path(sys.executable))

    def endless() -> Iterator[npt.NDArray[np.uint8]]:
        while True:
            yield np.zeros((480, 640, 3), np.uint8)

    with pytest.raises(mediapipe_pose.MediaPipeError, match="invalid choice: 'nobody'"):
        mediapipe_pose.run_mediapipe(endless(), "nobody", "static")


def test_a_change_of_one_bit_of_a_golden_file_is_reported() -> None:
    old = golden("lite__astronaut__static")
    assert make.changes(old, golden("lite__astronaut__static")) == []
    new = golden("lite__astronaut__static")
    new["roi"][0, 1] = np.nextafter(new["roi"][0, 1], np.float32(9))
    new["world"] = new["world"].astype(np.float64)
    new["found"][0] = False
    new["detector_score"][0] = np.nan
    del new["next_roi"]
    found = make.changes(old, new)
    assert [line.split()[0] for line in found] == [
        "next_roi", "detector_score", "found", "roi", "world"
    ]  # fmt: skip
    assert found[1] == "detector_score by 0, 1 values came or went"
    assert found[3] == "roi by 1.19e-07, 0 values came or went"
