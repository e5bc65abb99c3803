"""Who is taken of several people if only one is tracked: the tallest, or the one in the middle?

`python test/people/taken.py` shows a fresh tracker with `max_persons` 1 one image of each scene
every half second, both halves, and counts whom it takes where two or more people count.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
import numpy as np

from people.judging import Frame, Row, TruePerson, match
from people.rendering import render
from people.scenes import RATE_HZ, SCENES, WIDTH_PX
from people.subject import Subject, options_of

_EVERY = round(RATE_HZ / 2)


def images() -> Iterator[tuple[media.Image, Sequence[TruePerson]]]:
    """Yield images in which at least two people count, and these people."""
    for scene in SCENES.values():
        if scene.half == "more":
            continue
        for index, (image, people) in enumerate(render(scene)):
            counting = [person for person in people if person.counts]
            if index % _EVERY == 0 and len(counting) > 1:
                yield image, counting


def rank(taken: TruePerson, people: Sequence[TruePerson]) -> tuple[bool, bool]:
    """Return whether the person is the tallest, and whether the nearest to the middle."""
    tallest = max(people, key=lambda person: np.ptp(person.landmarks_px[:, 1]))
    middle = min(people, key=lambda person: abs(person.landmarks_px[:, 0].mean() - WIDTH_PX / 2))
    return taken is tallest, taken is middle


def main() -> int:
    """Print the counts."""
    subject = Subject(options_of("full", max_persons=1, detector="blazepose"))
    counts: Counter[str] = Counter()
    for image, people in images():
        subject.reset(RATE_HZ)
        rows = [Row(pose.person_id, pose.landmarks_px[:, :2]) for pose in subject.track(image)]
        taken = match(Frame(people, rows)).ids
        counts["images"] += 1
        counts["people"] += len(people)
        counts["nobody"] += not rows
        counts["a poor or mixed pose"] += bool(rows) and not taken
        for person in people:
            if person.identity in taken:
                is_tallest, is_middle = rank(person, people)
                counts["the tallest"] += is_tallest
                counts["nearest to the middle"] += is_middle
                counts["both of these"] += is_tallest and is_middle
                counts["neither"] += not (is_tallest or is_middle)
    for name, count in counts.items():
        print(f"{name:<24}{count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
