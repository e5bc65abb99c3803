"""The table of landmarks, from messages and from the running node."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import running

from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.client import LANDMARK_DTYPE, Landmarks
from pose_ros.tools.echo_landmarks import table

MODULE = "pose_ros.tools.echo_landmarks"

HEADINGS = ("u_px", "v_px", "depth_rel", "visibility", "presence")


def landmarks(people: int) -> Landmarks:
    points = np.zeros((people, 25), LANDMARK_DTYPE)
    points["index"] = np.arange(25)
    points["person_id"] = np.arange(people)[:, None] + 7
    for name in ("x", "y", "z"):
        points[name] = np.nan
    points["u"], points["visibility"] = 12.34, 0.9876
    return Landmarks(points)


def test_table_has_a_line_per_landmark() -> None:
    lines = table(landmarks(1), UPPER_BODY.names).splitlines()
    assert lines[0].split() == ["person", "7", *HEADINGS]
    assert lines[1].split() == ["0", "nose", "12.3", "0.0", "0.0", "0.988", "0.000"]
    assert [line.split()[1] for line in lines[1:]] == list(UPPER_BODY.names)
    assert len({len(line) for line in lines}) == 1


def test_people_follow_each_other_or_there_is_nobody() -> None:
    text = table(landmarks(2), UPPER_BODY.names)
    assert [line.split()[1] for line in text.splitlines() if "person" in line] == ["7", "8"]
    assert table(landmarks(0), UPPER_BODY.names) == "nobody\n"


def test_somebody_held_is_shown_with_the_time_since_seen() -> None:
    held = landmarks(2)
    held.points["held_ms"][1] = 240
    headings = [line for line in table(held, ()).splitlines() if "person" in line]
    assert ["240" in heading for heading in headings] == [False, True]


def test_landmarks_without_names_have_numbers() -> None:
    assert table(landmarks(1), ()).splitlines()[25].split()[:2] == ["24", "12.3"]


def test_meters_appear_where_they_are_known() -> None:
    known = landmarks(1)
    for name, value in zip("xyz", (0.1, 0.2, 1.5), strict=True):
        known.points[name][0, 3] = value
    lines = table(known, UPPER_BODY.names).splitlines()
    assert lines[0].split()[-3:] == ["x_m", "y_m", "z_m"]
    assert lines[4].split()[-3:] == ["0.100", "0.200", "1.500"]
    assert lines[5].split()[-3:] == ["nan", "nan", "nan"]


@pytest.mark.parametrize("arguments", [["--once"], ["/pose/landmarks"]])
def test_running_node_is_shown(arguments: list[str], pose: running.Client, tmp_path: Path) -> None:
    echo = running.Process(pose.process.domain_id, tmp_path, "-m", MODULE, *arguments)
    try:
        pose.stream(running.person()[0], lambda: echo.lines("right_hip"), "a table", 0.1)
        if "--once" not in arguments:
            echo.signal(signal.SIGINT)
            echo.signal(signal.SIGINT)
        assert echo.wait() == 0, echo.output
        assert running.FRAME_ID in echo.output
        assert len(echo.lines("right_hip")) >= 1
        assert ("--once" not in arguments) or len(echo.lines("right_hip")) == 1
    finally:
        echo.kill()


def test_a_wrong_topic_is_reported_with_those_that_there_are(
    pose: running.Client, tmp_path: Path
) -> None:
    arguments = ("-m", MODULE, "/pos/landmarks")
    echo = running.Process(pose.process.domain_id, tmp_path, *arguments)
    try:
        line = echo.wait_for_line("nobody publishes /pos/landmarks")
        assert "/pose/landmarks" in line.partition(";")[2]
    finally:
        echo.kill()


def test_a_topic_without_messages_is_reported(pose: running.Client, tmp_path: Path) -> None:
    echo = running.Process(pose.process.domain_id, tmp_path, "-m", MODULE, "/pose/landmarks")
    try:
        echo.wait_for_line("no message on /pose/landmarks yet")
    finally:
        echo.kill()
