"""The subscribers of docs/subscribers.md work as they stand there, on what the node publishes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from outputs.test_messages import frame, located, pose

from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.outputs.clouds import landmarks

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8")
INCLUDE = Path(sys.prefix) / "include"
POSITIONS_M = np.random.default_rng(2).uniform(1, 3, (25, 3)).astype(np.float32)
POSITIONS_M[[1, 4]] = np.nan
CLOUD = landmarks(frame(located(pose(7), POSITIONS_M)))
SURE = [i for i in range(25) if pose(7).visibility[i] >= 0.5 and i not in (1, 4)]


def program(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def test_python_prints_where_the_nose_is(capsys: pytest.CaptureFixture[str]) -> None:
    exec(program("python"), {"msg": SimpleNamespace(**fields())})
    person, u, v = capsys.readouterr().out.split()
    assert int(person) == 7
    np.testing.assert_allclose((float(u), float(v)), pose(7).landmarks_px[0, :2], rtol=1e-6)


def fields() -> dict[str, object]:
    return {name: getattr(CLOUD, name) for name in ("data", "height", "width")}


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
@pytest.mark.skipif(
    not (INCLUDE / "sensor_msgs").is_dir(), reason="no C++ headers of sensor_msgs in this Python"
)
def test_cpp_prints_every_landmark_that_is_sure_and_known(tmp_path: Path) -> None:
    (tmp_path / "subscriber.hpp").write_text(program("cpp"), encoding="utf-8")
    (tmp_path / "cloud").write_bytes(np.array((1, 25), "<u4").tobytes() + bytes(CLOUD.data))
    folders = [folder for folder in INCLUDE.iterdir() if (folder / folder.name).is_dir()]
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{tmp_path}"]
    command += [word for folder in folders for word in ("-isystem", str(folder))]
    main = str(ROOT / "test" / "subscriber_main.cpp")
    subprocess.run([*command, main, "-o", str(tmp_path / "run")], check=True)
    reported = subprocess.run(
        [tmp_path / "run", tmp_path / "cloud"], check=True, capture_output=True, text=True
    ).stdout
    numbers = np.array([re.findall(r"-?\d+\.?\d*", line) for line in reported.splitlines()], float)
    assert numbers[:, 0].tolist() == [7] * len(SURE)
    assert numbers[:, 1].tolist() == SURE
    np.testing.assert_allclose(numbers[:, 2:5], POSITIONS_M[SURE], atol=0.006)
    np.testing.assert_allclose(numbers[:, 5:], pose(7).landmarks_px[SURE, :2], atol=0.51)
    assert len(UPPER_BODY) > len(SURE) > 3
