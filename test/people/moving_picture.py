"""Make docs/pictures/crossing.webp: a scene of several people, as `annotate` draws it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from project.moving_picture import FILE, write

from people.rendering import render
from people.scenes import RATE_HZ, SCENES
from pose_ros.tools.image_files import VideoFile

SCENE = "tune_3_pillar"
STEP = 3


def main() -> int:
    """Render the scene, annotate it, and keep every third frame."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "crossing.mp4"
        with VideoFile(scene, float(RATE_HZ)) as video:
            for index, (image, _) in enumerate(render(SCENES[SCENE])):
                video.write(image, round(index * 1e9 / RATE_HZ))
        command = [sys.executable, "-m", "pose_ros.tools.annotate", "--max-persons", "8"]
        done = subprocess.run([*command, str(scene), "--out", folder])
        if done.returncode == 0:
            annotated = scene.with_name("crossing_annotated.mp4")
            write(FILE.with_name("crossing.webp"), str(annotated), STEP)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
