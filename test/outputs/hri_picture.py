"""Make docs/pictures/hri.jpg from what the node publishes of bodies for a real image."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import hri
import media
import numpy as np
import running
from running import Client

from outputs.test_hri_node import BODIES, TYPES
from outputs.test_tf import HAS_TF2
from pose_ros.blazepose.drawing import person_color
from pose_ros.inputs.images import rgb_from_image
from pose_ros.outputs.hri_messages import SKELETON

FILE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "hri.jpg"
CLIP, FRAME, PEOPLE, HEIGHT_PX = "p2s_multi_cam03", 20, 2, 480
LIMBS = (
    *itertools.pairwise(("right_wrist", "right_elbow", "right_shoulder", "neck", "nose")),
    *itertools.pairwise(("left_wrist", "left_elbow", "left_shoulder", "neck")),
    *itertools.pairwise(("neck", "right_hip", "right_knee", "right_ankle")),
    *itertools.pairwise(("neck", "left_hip", "left_knee", "left_ankle")),
    *itertools.pairwise(("right_ear", "right_eye", "nose", "left_eye", "left_ear")),
)


def main() -> int:
    """Run the node with one image of the clip, and draw what it says of the bodies."""
    image = scaled(next(itertools.islice(media.frames(CLIP), FRAME, None)))
    if not (hri.HAS_HRI_MSGS and HAS_TF2):
        os.environ["PYTHONPATH"] = hri.python_path()
    options = {"model": "full", "max_persons": PEOPLE, "publish_hri": True}
    with running.node_and_client(*running.parameters(**options)) as client:
        bodies = received(client, image)
    canvas = image.copy()
    crops = []
    for index, body in enumerate(bodies):
        draw(canvas, body, person_color(index + 1))
        crops.append(scaled(rgb_from_image(body["cropped"])))
    whole = np.hstack((canvas, *crops))
    cv2.imwrite(str(FILE), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    print(f"{FILE.name}: {whole.shape[1]}x{whole.shape[0]}, {FILE.stat().st_size // 1000} kB")
    return 0


def scaled(image: media.Image) -> media.Image:
    """Return an image in the height of the picture."""
    size = round(image.shape[1] * HEIGHT_PX / image.shape[0]), HEIGHT_PX
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def received(client: Client, image: media.Image) -> list[dict[str, Any]]:
    """Return the last message of each topic of each body, by topic."""
    lists = client.subscribe(f"{BODIES}/tracked", hri.message_type("IdsList"))
    client.until(client.images_matched, "the node's image subscription")

    def ids() -> list[str]:
        return hri.fields(lists[-1])["ids"] if lists else []

    client.stream(image, lambda: len(ids()) == PEOPLE, "all people", 0.2)
    found = [
        {topic: client.subscribe(f"{BODIES}/{one}/{topic}", kind) for topic, kind in TYPES.items()}
        for one in ids()
    ]
    whole = [messages for body in found for messages in body.values()]
    client.stream(image, lambda: all(whole), "all topics", 0.2)
    return [{topic: messages[-1] for topic, messages in body.items()} for body in found]


def draw(canvas: Any, body: dict[str, Any], color: tuple[int, int, int]) -> None:
    """Draw the region and the skeleton of a body."""
    size = np.array(canvas.shape[1::-1])
    region = hri.fields(body["roi"])
    corners = [(region["xmin"], region["ymin"]), (region["xmax"], region["ymax"])]
    first, second = np.rint(np.array(corners) * size).astype(int).tolist()
    cv2.rectangle(canvas, first, second, color, 2)
    points = dict(zip(SKELETON, hri.fields(body["skeleton2d"])["skeleton"], strict=True))
    for ends in LIMBS:
        if min(points[end]["c"] for end in ends) >= 0.5:
            places = [np.array((points[end]["x"], points[end]["y"])) * size for end in ends]
            start, end = (np.rint(place).astype(int).tolist() for place in places)
            cv2.line(canvas, start, end, color, 2, cv2.LINE_AA)


if __name__ == "__main__":
    sys.exit(main())
