"""Make docs/pictures/gestures.jpg: what the gesture node says of people in real clips.

`python test/body/picture.py` tracks the clips, sends the landmarks to the real node, and writes
what it publishes beside each person.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import media
import numpy as np
from node.test_gesture_node import Robot, cloud, robot

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.drawing import draw_poses
from pose_ros.blazepose.topology import FULL_BODY

FILE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "gestures.jpg"
# Clip, first and last image, and the part of the image: left, top, side in px.
SHOTS = (
    ("sports2d_demo", 0, 24, (404, 0, 480)),
    ("p2s_single_cam01", 0, 54, (60, 250, 950)),
)
SIDE_PX = 400


def main() -> int:
    """Make the picture."""
    parts = [shot(*row) for row in SHOTS]
    cv2.imwrite(str(FILE), np.hstack(parts)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{FILE.name}: {FILE.stat().st_size // 1000} kB")
    return 0


def shot(clip: str, first: int, last: int, part: tuple[int, int, int]) -> media.Image:
    """Return part of the last image with the pose, and what the node said of it."""
    tracker = PoseTracker(PoseTrackerOptions(model="full"))
    left, top, side = part
    with robot() as made:
        made.subscribe("gestures")
        for image in islice(media.frames(clip), first, last + 1):
            region = np.ascontiguousarray(image[top : top + side, left : left + side])
            made.stamp_ns += 33_333_333
            poses = tracker.track(region, made.stamp_ns)
            for pose in poses:
                send(made, pose)
        made.until(lambda: made.received["gestures"], "what is done")
        content = json.loads(made.received["gestures"][-1].data)
    text = ", ".join((content["posture"], *content["gestures"]))
    drawn = draw_poses(region, poses, FULL_BODY, 0.5, ["" for _ in poses])
    small = cv2.resize(drawn, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    cv2.rectangle(small, (0, SIDE_PX - 26), (SIDE_PX, SIDE_PX), (255, 255, 255), -1)
    cv2.putText(small, text, (6, SIDE_PX - 8), 0, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def send(made: Robot, pose: Pose) -> None:
    """Publish the landmarks of a pose."""
    assert pose.world_landmarks_m is not None
    message = cloud(pose.world_landmarks_m.astype(np.float64), made.stamp_ns, pose.person_id)
    made.publish(message)


if __name__ == "__main__":
    sys.exit(main())
