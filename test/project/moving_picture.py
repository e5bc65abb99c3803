"""Make docs/pictures/walker.webp: what the node draws while `make demo` plays its clip."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from pose_ros.tools.frames import open_frames

FILE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "walker.webp"
WIDTH_PX = 640
RATE_HZ = 5
STEP = 2
QUALITY = 50


def main() -> int:
    """Run the demo, slowly so that no frame is dropped; keep every second annotated one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pose_ros.tools.demo", f"--rate={RATE_HZ}"]
        done = subprocess.run([*command, "--out", folder])
        if done.returncode == 0:
            write(FILE, str(Path(folder) / "annotated.mp4"))
    return done.returncode


def write(path: Path, video: str, step: int = STEP) -> None:
    """Write every `step`-th frame of a video as a moving picture."""
    frames = open_frames(video)
    images = [frame.image for frame in frames][::step]
    height_px = round(images[0].shape[0] * WIDTH_PX / images[0].shape[1])
    animation = cv2.Animation()
    animation.frames = [
        cv2.resize(image[..., ::-1], (WIDTH_PX, height_px), interpolation=cv2.INTER_AREA)
        for image in images
    ]
    animation.durations = [round(1000 * step / (frames.rate_hz or 30))] * len(images)
    cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    print(f"{path.name}: {len(images)} frames, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
