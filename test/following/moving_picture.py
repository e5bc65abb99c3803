"""Make docs/pictures/follow_me.webp: what the node sees, and the way from above, of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import media
import numpy as np

from following.runs import RATE_HZ, Moment, follow
from following.simulation import LEAVES_AT_S, person_at
from pose_ros.inputs.images import rgb_from_image

FILE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "follow_me.webp"
SIDE_PX, STEP, QUALITY = 320, 2, 45
_PX_PER_M, _ORIGIN_PX = 40.0, np.array((30.0, 200.0))
_ROBOT_COLOR, _PERSON_COLOR, _TEXT_COLOR = (40, 90, 200), (200, 90, 40), (40, 40, 40)


def main() -> int:
    """Run it and keep every second image."""
    shown: list[media.Image] = []
    way: list[Moment] = []

    def add(moment: Moment, annotated: Any) -> None:
        way.append(moment)
        if len(way) % STEP == 1 and moment.time_s < LEAVES_AT_S + 1:
            seen = cv2.resize(rgb_from_image(annotated), (SIDE_PX, SIDE_PX))
            shown.append(np.hstack((seen, _from_above(way))))

    follow(add)
    animation = cv2.Animation()
    animation.frames = [image[..., ::-1] for image in shown]
    animation.durations = [round(1000 * STEP / RATE_HZ)] * len(shown)
    cv2.imwriteanimation(str(FILE), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    print(f"{FILE.name}: {len(shown)} frames, {FILE.stat().st_size // 1000} kB")
    return 0


def _from_above(way: list[Moment]) -> media.Image:
    """Draw where robot and person are and were, x to the right and y upwards."""
    image = np.full((SIDE_PX, SIDE_PX, 3), 245, np.uint8)
    now = way[-1]
    robots = [(moment.robot.x_m, moment.robot.y_m) for moment in way]
    people = [place for moment in way if (place := person_at(moment.time_s)) is not None]
    for points, color in ((robots, _ROBOT_COLOR), (people, _PERSON_COLOR)):
        cv2.polylines(image, [_pixels(points)], False, color, 1, cv2.LINE_AA)
    ahead = (now.robot.x_m + 0.3 * np.cos(now.robot.yaw_rad), now.robot.y_m)
    ahead = (ahead[0], now.robot.y_m + 0.3 * np.sin(now.robot.yaw_rad))
    robot, nose = _pixels([robots[-1], ahead]).tolist()
    cv2.circle(image, robot, 9, _ROBOT_COLOR, -1, cv2.LINE_AA)
    cv2.line(image, robot, nose, _ROBOT_COLOR, 3, cv2.LINE_AA)
    texts = [f"{now.time_s:.1f} s, {now.robot.speed_m_s:.1f} m/s"]
    if person_at(now.time_s) is not None:
        cv2.circle(image, _pixels(people[-1:])[0].tolist(), 7, _PERSON_COLOR, -1, cv2.LINE_AA)
        texts.append(f"distance {now.distance_m:.2f} m")
    for line, text in enumerate(texts):
        place = (10, 24 + 22 * line)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _TEXT_COLOR, 1, cv2.LINE_AA)
    return image


def _pixels(points_m: Any) -> Any:
    return np.rint(np.array(points_m) * (_PX_PER_M, -_PX_PER_M) + _ORIGIN_PX).astype(np.int32)


if __name__ == "__main__":
    sys.exit(main())
