"""Annotating images and videos, as the command does it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import encoded
import media
import numpy as np
import pytest
import running

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.tools.annotate import main
from pose_ros.tools.frames import open_frames
from pose_ros.tools.landmark_table import COLUMNS
from pose_ros.tools.progress import Progress

CLIP = media.path("person")
MODULE = "pose_ros.tools.annotate"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A frame of the shipped clip as an image file."""
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
    assert len(table) == 250 * len(FULL_BODY)
    assert tuple(table[0]) == COLUMNS
    assert [row["name"] for row in table[:33]] == list(FULL_BODY.names)
    assert {int(row["stamp_ns"]) for row in table} == set(range(0, 250 * 40_000_000, 40_000_000))
    tracker = PoseTracker(PoseTrackerOptions())
    for number, rgb in enumerate(running.person(3)):
        (pose,) = tracker.track(rgb, number * 40_000_000 + 1)
    found = [[float(row["u_px"]), float(row["v_px"])] for row in table[66:99]]
    np.testing.assert_allclose(found, pose.landmarks_px[:, :2], atol=1e-5)
    video = list(open_frames(str(tmp_path / "person_annotated.mp4")))
    assert len(video) == 250
    assert_drawn(video[0].image, running.person()[0])


def assert_drawn(annotated: np.ndarray, plain: np.ndarray) -> None:
    """The image is the plain one, but for some pixels."""
    difference = np.abs(annotated.astype(int) - plain).max(axis=2)
    assert annotated.shape == plain.shape
    assert 0.001 < (difference > 100).mean() < 0.1
    assert np.median(difference) < 8


@pytest.mark.parametrize("table_format", ["csv", "json"])
def test_image_is_processed_in_static_mode(image: Path, table_format: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(image), "--out", str(out), "--format", table_format]) == 0
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


def test_options_reach_the_tracker(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(image), "--out", str(out), "--min-tracking-confidence", "1.0"]) == 0
    assert rows(out / "somebody_landmarks.csv") == []


@pytest.mark.parametrize(
    ("max_persons", "detector"), [(1, "blazepose"), (2, "blazepose"), (2, "movenet")]
)
def test_as_many_people_are_found_as_are_asked_for(
    max_persons: int, detector: str, tmp_path: Path
) -> None:
    rgb, path = running.person()[0], tmp_path / "two.png"
    cv2.imwrite(str(path), np.hstack((rgb, rgb[:, ::-1]))[..., ::-1])
    arguments = ["--model", "lite", "--max-persons", str(max_persons), "--out", str(tmp_path)]
    assert main([str(path), *arguments, "--person-detector", detector]) == 0
    found = {int(row["person_id"]) for row in rows(tmp_path / "two_landmarks.csv")}
    assert found == set(range(1, max_persons + 1))


def test_unreadable_files_are_reported_and_the_others_are_done(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    files = ["missing.jpg", str(running.ROOT / "setup.py"), str(tmp_path), str(image)]
    assert main([*files, "--out", str(out)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    for error, name in zip(errors, ("missing.jpg", "setup.py", str(tmp_path)), strict=True):
        assert name in error
    assert (out / "somebody_annotated.png").exists()


def test_no_input_is_overwritten_by_chance_of_names(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One input is named as the output of the other; or two have the same name."""
    named_as_output = tmp_path / "somebody_annotated.png"
    twin = tmp_path / "twin" / "somebody.png"
    twin.parent.mkdir()
    for path in (named_as_output, twin):
        path.write_bytes(image.read_bytes())
    for other, name in ((named_as_output, named_as_output.name), (twin, "somebody_")):
        before = sorted(tmp_path.rglob("*"))
        assert main([str(image), str(other), "--out", str(tmp_path)]) == 1
        (error,) = capsys.readouterr().err.splitlines()
        assert name in error
        assert sorted(tmp_path.rglob("*")) == before
        assert other.read_bytes() == image.read_bytes()


def test_truncated_video_is_annotated_as_far_as_it_goes_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = encoded.video("plain.mp4", tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert main([str(path), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    frames = len(list(open_frames(str(tmp_path / "out" / "plain_annotated.mp4"))))
    assert 5 < frames < 50
    assert f"{frames} of {frames} frames" in printed.out
    assert printed.err.count("\n") == 1
    assert f"50 frames, {frames} could be read" in printed.err


def test_variable_rate_is_annotated_in_step_with_its_source(tmp_path: Path) -> None:
    """25 images in the first second and 5 in the next make 50 frames, but for the last's."""
    path = encoded.video("variable.mp4", tmp_path)
    assert main([str(path), "--out", str(tmp_path)]) == 0
    annotated = list(open_frames(str(tmp_path / "variable_annotated.mp4")))
    assert len(annotated) == 46
    table = rows(tmp_path / "variable_landmarks.csv")
    assert len({row["frame"] for row in table}) == 30
    assert len({row["person_id"] for row in table}) == 1


def test_file_names_of_any_bytes_are_taken(image: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "\udcff.png", tmp_path / "out\udcfe"
    image.rename(source)
    command = [sys.executable, "-m", MODULE, str(source), "--out", str(out)]
    done = subprocess.run(command, cwd=running.ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"/\xff.png: 1 of 1 frames" in done.stdout
    expected = ["\udcff_annotated.png", "\udcff_landmarks.csv"]
    assert sorted(path.name for path in out.iterdir()) == expected


def test_option_out_of_range_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["x.png", "--min-detection-confidence", "2"]) == 1
    error = capsys.readouterr().err
    assert "min_detection_confidence" in error
    assert "2.0" in error


def test_boxes_of_another_detector_do_not_come_here(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["x.png", "--person-detector", "topic"])
    assert "movenet" in capsys.readouterr().err


def test_it_needs_no_ros(image: Path, tmp_path: Path) -> None:
    """With every ROS package out of reach, the command still does its work."""
    program = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'std_msgs', 'ament_index_python'):\n"
        "    sys.modules[name] = None\n"
        "from pose_ros.tools.annotate import main\n"
        f"sys.exit(main([{str(image)!r}, '--out', {str(tmp_path / 'out')!r}]))\n"
    )
    with running.process("-c", program) as annotate:
        assert annotate.wait() == 0, annotate.output
    assert (tmp_path / "out" / "somebody_landmarks.csv").exists()


def test_real_photo_is_annotated(tmp_path: Path) -> None:
    media.require("faceapi_sample1")
    path = media.path("faceapi_sample1")
    assert main([str(path), "--out", str(tmp_path)]) == 0
    assert len(rows(tmp_path / f"{path.stem}_landmarks.csv")) == len(FULL_BODY)


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
