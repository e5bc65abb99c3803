"""The subscriber of the README, as it stands there, works at the first attempt."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
from running import Client, Process

SECTION = (
    (running.ROOT / "README.md")
    .read_text(encoding="utf-8")
    .partition("## Reading the landmarks")[2]
)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", SECTION.partition("\n## ")[0], re.DOTALL)
(PERSON,) = running.person()


@pytest.fixture
def subscriber(pose: Client) -> Iterator[Process]:
    """The README's program beside the running node, its lines not held back."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "listener.py"
        file.write_text(PROGRAM, encoding="utf-8")
        run = f"runpy.run_path({str(file)!r}, run_name='__main__')"
        code = f"import runpy, sys; sys.path[0] = '.'; {run}"
        process = Process(pose.process.domain_id, Path(folder), "-u", "-c", code)
        yield process
        process.kill()


def test_it_is_short() -> None:
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) <= 18


def test_it_prints_the_person_in_the_picture(pose: Client, subscriber: Process) -> None:
    def publish_until_reported() -> list[str]:
        pose.publish(running.image(PERSON))
        return subscriber.lines("person ")

    pose.until(lambda: pose.node.count_subscribers("/pose/landmarks") == 2, "the subscriber")
    (first, *_) = pose.until(publish_until_reported, "a line of the subscriber")
    landmarks = pose.landmarks(running.image(PERSON))
    number = int(re.findall(r"person (\d+)", first)[0])
    u, v = map(float, re.findall(r"nose at \[ *([\d.]+) +([\d.]+) *\] px", first)[0])
    assert number <= landmarks.person_id[0]
    assert abs(landmarks.pixels[0, 0] - (u, v)).max() < 10
    assert running.FRAME_ID in first
    assert "Traceback" not in subscriber.output
