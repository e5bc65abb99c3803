"""Annotating pictures and videos, as the command does it."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from pathlib import Path

import cv2
import media
import numpy as np
import pytest
import running

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.tools.annotate import main
from pose_ros.tools.frames import open_frames
from pose_ros.tools.landmark_table import COLUMNS
from pose_ros.tools.progress import Progress

CLIP = running.ROOT / "docs" / "demo" / "person.mp4"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A frame of the shipped clip as a picture file."""
    path = tmp_path / "somebody.png"
    cv2.imwrite(str(path), cv2.cvtColor(running.person()[0], cv2.COLOR_RGB2BGR))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_video_gives_an_annotated_video_and_a_row_per_frame_and_landmark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(CLIP), "--out", str(tmp_path)]) == 0
    assert "250 of 250 frames show a pose" in capsys.readouterr().out
    table = rows(tmp_path / "person_landmarks.csv")
    assert len(table) == 250 * len(UPPER_BODY)
    assert tuple(table[0]) == COLUMNS
    assert [row["name"] for row in table[:25]] == list(UPPER_BODY.names)
    assert {int(row["stamp_ns"]) for row in table} == set(range(0, 250 * 40_000_000, 40_000_000))
    tracker = PoseTracker(PoseTrackerOptions())
    for number, rgb in enumerate(running.person(3)):
        (pose,) = tracker.track(rgb, number * 40_000_000 + 1)
    found = [[float(row["u_px"]), float(row["v_px"])] for row in table[50:75]]
    np.testing.assert_allclose(found, pose.landmarks_px[:, :2], atol=1e-5)
    video = list(open_frames(str(tmp_path / "person_annotated.mp4")))
    assert len(video) == 250
    assert_drawn(video[0].image, running.person()[0])


def assert_drawn(annotated: np.ndarray, plain: np.ndarray) -> None:
    """The picture is the plain one, but for some pixels."""
    difference = np.abs(annotated.astype(int) - plain).max(axis=2)
    assert annotated.shape == plain.shape
    assert 0.001 < (difference > 100).mean() < 0.1
    assert np.median(difference) < 8


@pytest.mark.parametrize("table_format", ["csv", "json"])
def test_picture_is_taken_in_static_mode(picture: Path, table_format: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(picture), "--out", str(out), "--format", table_format]) == 0
    path = out / f"somebody_landmarks.{table_format}"
    table = rows(path) if table_format == "csv" else json.loads(path.read_text())
    (pose,) = PoseTracker(PoseTrackerOptions(static_image_mode=True)).track(running.person()[0], 1)
    found = [[float(row[name]) for name in ("u_px", "v_px", "depth_rel")] for row in table]
    np.testing.assert_allclose(found, pose.landmarks_px, atol=1e-5)
    np.testing.assert_allclose(
        [float(row["visibility"]) for row in table], pose.visibility, atol=1e-5
    )
    assert_drawn(
        next(iter(open_frames(str(out / "somebody_annotated.png")))).image, running.person()[0]
    )


def test_options_reach_the_tracker(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(picture), "--out", str(out), "--min-tracking-confidence", "1.0"]) == 0
    assert rows(out / "somebody_landmarks.csv") == []


def test_unreadable_files_are_told_and_the_others_are_done(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    twin = tmp_path / "twin" / "somebody.png"
    twin.parent.mkdir()
    twin.write_bytes(picture.read_bytes())
    files = ["missing.jpg", str(running.ROOT / "setup.py"), str(tmp_path), str(picture), str(twin)]
    assert main([*files, "--out", str(out)]) == 1
    complaints = capsys.readouterr().err.splitlines()
    for complaint, reason in itertools.zip_longest(
        complaints,
        (
            "missing.jpg does not exist",
            "setup.py cannot be read as a video or a picture",
            f"{tmp_path} is not a file",
            "named like an earlier file",
        ),
    ):
        assert reason in complaint
    assert (out / "somebody_annotated.png").exists()


def test_option_out_of_range_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["x.png", "--min-detection-confidence", "2"]) == 1
    assert "min_detection_confidence is 2.0" in capsys.readouterr().err


def test_it_needs_no_ros(picture: Path, tmp_path: Path) -> None:
    """With every ROS package out of reach, the command still does its work."""
    program = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'std_msgs', 'ament_index_python'):\n"
        "    sys.modules[name] = None\n"
        "from pose_ros.tools.annotate import main\n"
        f"sys.exit(main([{str(picture)!r}, '--out', {str(tmp_path / 'out')!r}]))\n"
    )
    with running.process("-c", program) as annotate:
        assert annotate.wait() == 0, annotate.output
    assert (tmp_path / "out" / "somebody_landmarks.csv").exists()


def test_real_photo_is_annotated(tmp_path: Path) -> None:
    media.require("faceapi_sample1")
    path = media.path("faceapi_sample1")
    assert main([str(path), "--out", str(tmp_path)]) == 0
    assert len(rows(tmp_path / f"{path.stem}_landmarks.csv")) == 25


def test_progress_is_shown_on_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Progress("work", 4)
    progress.advance()
    progress.close()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress.advance()
    progress.close()
    assert capsys.readouterr().err == "\rwork [###############               ] 2/4\n"
