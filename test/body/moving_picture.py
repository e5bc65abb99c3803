"""Make docs/pictures/bones.webp: what the node draws and publishes while somebody walks."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import cv2
import media
import numpy as np
import running
from running import Client

from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.client import landmarks_from_msg
from pose_ros.inputs.images import rgb_from_image

FILE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "bones.webp"
WIDTH_PX, CURVES_PX, STEP, QUALITY = 640, 150, 3, 50
CURVES = {
    "left_hip_flexion": (200, 90, 40),
    "left_knee_flexion": (40, 90, 200),
    "left_elbow_flexion": (40, 150, 60),
}
_RANGE_DEG = (-40.0, 100.0)
_OUTLINE_COLOR = (255, 255, 255)

Angles = dict[str, float]


def main() -> int:
    """Run the node over the clip; keep every third image, with the angles of all."""
    with running.node_and_client(*running.parameters(model="full")) as client:
        client.listen("joint_states", "annotated_image", "landmarks")
        images, angles = [], []
        for rgb in media.frames("walker"):
            image, found = _shown(client, rgb)
            angles.append(found)
            images.append(image)
    frames = [
        np.vstack((image, _curves(angles, number)))
        for number, image in enumerate(images)
        if number % STEP == 0
    ]
    animation = cv2.Animation()
    animation.frames = [frame[..., ::-1] for frame in frames]
    animation.durations = [round(1000 * STEP / 30)] * len(frames)
    cv2.imwriteanimation(str(FILE), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    print(f"{FILE.name}: {len(frames)} frames, {FILE.stat().st_size // 1000} kB")
    return 0


def _shown(client: Client, rgb: media.Image) -> tuple[media.Image, Angles]:
    """Return the annotated image with the angles of the first person at the joints, and these."""
    message = running.image(rgb)
    states = client.ask(message, "joint_states")
    landmarks = client.subscribe("landmarks")
    drawn = client.subscribe("annotated_image")
    for received in (landmarks, drawn):
        client.until(functools.partial(_has_come, received, message), "the outputs")
    scale = WIDTH_PX / rgb.shape[1]
    size = (WIDTH_PX, round(rgb.shape[0] * scale))
    image = cv2.resize(rgb_from_image(drawn[-1]), size, interpolation=cv2.INTER_AREA)
    people = landmarks_from_msg(landmarks[-1])
    person = f"person_{people.person_id[0]}/" if len(people.points) else "nobody"
    names = [name.removeprefix(person) for name in states.name if name.startswith(person)]
    angles = dict(zip(names, np.degrees(states.position).tolist(), strict=False))
    for name in CURVES.keys() & angles.keys():
        landmark = FULL_BODY.names.index(name.rsplit("_", 1)[0])
        _write(image, f"{angles[name]:.0f}", people.pixels[0, landmark] * scale, CURVES[name])
    return np.asarray(image, np.uint8), angles


def _has_come(received: list[Any], message: Any) -> bool:
    return bool(received) and received[-1].header.stamp == message.header.stamp


def _write(image: Any, text: str, place_px: Any, color: tuple[int, int, int]) -> None:
    x, y = np.rint(place_px).astype(int).tolist()
    for paint, width in ((_OUTLINE_COLOR, 5), (color, 2)):
        cv2.putText(
            image, text, (x + 8, y + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.6, paint, width, cv2.LINE_AA
        )


def _curves(angles: list[Angles], now: int) -> media.Image:
    """Draw the angles up to an image over all of the time."""
    canvas = np.full((CURVES_PX, WIDTH_PX, 3), 245, np.uint8)
    low, high = _RANGE_DEG
    x = np.linspace(10, WIDTH_PX - 10, len(angles))
    for degrees in (0, 45, 90):
        y = round((high - degrees) / (high - low) * CURVES_PX)
        cv2.line(canvas, (0, y), (WIDTH_PX, y), (215, 215, 215), 1)
        cv2.putText(
            canvas, str(degrees), (2, y - 2), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (120,) * 3, 1
        )
    for line, (name, color) in enumerate(CURVES.items()):
        known = [(x[n], found[name]) for n, found in enumerate(angles[: now + 1]) if name in found]
        points = [(px, (high - value) / (high - low) * CURVES_PX) for px, value in known]
        cv2.polylines(canvas, [np.rint(points).astype(np.int32)], False, color, 2, cv2.LINE_AA)
        cv2.putText(
            canvas,
            name,
            (30 + 180 * line, 14),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            color,
            1,
            cv2.LINE_AA,
        )
    return canvas


if __name__ == "__main__":
    sys.exit(main())
