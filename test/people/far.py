"""How soon a person 120 px tall is found in images of 1920x1080 px, alone and beside somebody.

`python test/people/far.py` puts a woman in places all over the image, who walks or stands; the
other person is near, and there before she comes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice, product
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media

from people.rooms import room
from people.subject import Subject, options_of

RATE_HZ = 30.0
WIDTH_PX, HEIGHT_PX = 1920, 1080
BEFORE_S, AFTER_S = 0.5, 4.0
SCALE = 0.3  # makes the woman of the clip 120 px tall
WOMAN_FROM_PX = 900  # the other person of the clip is left of it
PLACES_PX = tuple(product((20, 300, 760), (500, 1000, 1600)))
"""Top and left of the part of the image in which she walks."""


@cache
def background() -> media.Image:
    return np.asarray(cv2.resize(room("hall"), (WIDTH_PX, HEIGHT_PX)), np.uint8)


@cache
def woman() -> list[media.Image]:
    """Return images of the woman, who walks there and back."""
    frames = (frame[:, WOMAN_FROM_PX:] for frame in islice(media.frames("walker"), 60))
    walk = [
        np.asarray(
            cv2.resize(frame, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA), np.uint8
        )
        for frame in frames
    ]
    return [*walk, *walk[::-1]]


def images(place_px: tuple[int, int], with_other: bool, walks: bool) -> Iterator[media.Image]:
    """Yield images of a room; the woman is there after half a second."""
    count, first = round((BEFORE_S + AFTER_S) * RATE_HZ), round(BEFORE_S * RATE_HZ)
    for index, other in zip(range(count), media.frames("person"), strict=False):
        image = background().copy()
        if with_other:
            image[-other.shape[0] :, : other.shape[1]] = other
        if index >= first:
            small = woman()[(index - first) * walks % len(woman())]
            (top, left), (height, width) = place_px, small.shape[:2]
            image[top : top + height, left : left + width] = small
        yield image


def seconds_until_found(
    subject: Subject, place_px: tuple[int, int], with_other: bool, walks: bool
) -> float:
    """Return how long the woman is in the image before she is tracked; infinite if never."""
    subject.reset(RATE_HZ)
    for index, image in enumerate(images(place_px, with_other, walks)):
        middles_px = [
            np.median(pose.landmarks_px[:, 1::-1], axis=0) for pose in subject.track(image)
        ]
        offsets_px = [middle_px - place_px for middle_px in middles_px]
        if any(((offset > 0) & (offset < woman()[0].shape[:2])).all() for offset in offsets_px):
            return index / RATE_HZ - BEFORE_S
    return float("inf")


def main() -> int:
    """Print the times for all places."""
    subject = Subject(options_of("full", max_persons=4, detector="blazepose"))
    for with_other, walks in product((False, True), repeat=2):
        times_s = [seconds_until_found(subject, place, with_other, walks) for place in PLACES_PX]
        title = f"{'beside somebody' if with_other else 'alone'}, {'walks' if walks else 'still'}:"
        print(f"{title:<24}", " ".join(f"{time_s:.2f}" for time_s in times_s), "s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
