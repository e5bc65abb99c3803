"""How many postures and raised arms of labeled people are right.

`python test/body/gestures_evaluate.py` prints them, with the number of people of each class; no
percentage is given for fewer than 15. `labeled.py` says what the labels mean. `--half tune` or
`judge` takes only those people; `--model` another landmark model; `--turned` also turns pictures
of people who stand by 90 degrees, so that they lie, as too few really do.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
import numpy as np

from body.labeled import Labeled, people, points_of, pose_of, turnable, turned_pose
from pose_ros.blazepose import Pose
from pose_ros.body.figure import SIDES, Figure
from pose_ros.body.gestures import Trace, is_raised
from pose_ros.body.posture import POSTURES, UNKNOWN, posture

MIN_COUNT = 15
Counts = Counter[tuple[str, str]]


def figure_of(pose: Pose) -> Figure:
    """Return the figure of a pose seen by a level camera."""
    return Figure(points_of(pose).tolist(), pose.visibility.tolist())


def raised_arms(figure: Figure) -> dict[str, bool]:
    """Return which arms are raised, by side."""
    trace = Trace()
    trace.add(figure, 0)
    return {side: is_raised(trace, side) for side in SIDES}


class Score:
    """Counts of (label, result) of postures, and of arms as (label, is_raised)."""

    def __init__(self) -> None:
        self.postures: Counts = Counter()
        self.cut: Counts = Counter()
        self.arms: Counts = Counter()
        self.persons: set[str] = set()
        self.missed = 0

    def add(self, person: Labeled, pose: Pose | None) -> str:
        """Count one person; return the result as text."""
        self.persons.add(person.person)
        if pose is None:
            self.missed += 1
            return "not found"
        figure = figure_of(pose)
        found, arms = posture(figure), raised_arms(figure)
        (self.cut if person.is_cut else self.postures)[person.posture, found] += 1
        for side, label in person.arms.items():
            self.arms[label, str(int(arms[side]))] += 1
        wrong = [s for s in SIDES if person.arms[s] == str(int(not arms[s]))]
        return found + "".join(f", {side} arm wrong" for side in wrong)


def share(part: int, whole: int) -> str:
    """Return a share as text, without a percentage of too few."""
    percent = f" ({100 * part / whole:.1f} %)" if whole >= MIN_COUNT else ""
    return f"{part} of {whole}{percent}"


def main() -> int:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=("tune", "judge"))
    parser.add_argument("--model", default="full", choices=("lite", "full", "heavy", "upper_body"))
    parser.add_argument("--turned", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="a line for each person")
    asked = parser.parse_args()
    score, unavailable = Score(), Counter[str]()
    for person in people():
        if asked.half and person.half != asked.half:
            continue
        try:
            text = score.add(person, pose_of(person, asked.model))
        except media.MediaUnavailable as error:
            unavailable[str(error)] += 1
            continue
        if asked.verbose:
            print(f"{person.picture} {person.frame} {person.person}: {person.posture}: {text}")
    for reason, count in unavailable.items():
        print(f"{count} people left out: {reason}")
    report(score)
    if asked.turned:
        report_turned(asked.model)
    return 0


def report(score: Score) -> None:
    """Print what was counted."""
    found = sum((score.postures + score.cut).values())
    print(f"{found + score.missed} people, {len(score.persons)} different ones, {found} found")
    judged = Counter({key: count for key, count in score.postures.items() if key[0] in POSTURES})
    total = sum(judged.values())
    known = sum(count for (_, result), count in judged.items() if result != UNKNOWN)
    right = sum(count for (label, result), count in judged.items() if label == result)
    print(f"posture, of those not cut off: right {share(right, known)} not unknown; "
          f"unknown {share(total - known, total)}")  # fmt: skip
    _print_classes("", score.postures)
    _print_classes("cut off, ", score.cut)
    hits, missed = score.arms["1", "1"], score.arms["1", "0"]
    false = score.arms["0", "1"]
    print(f"raised arms: precision {share(hits, hits + false)}, "
          f"recall {share(hits, hits + missed)}; "
          f"not raised: {score.arms['0', '0'] + false}")  # fmt: skip


def _print_classes(prefix: str, counts: Counts) -> None:
    for label in dict.fromkeys(label for label, _ in counts):
        results = {result: n for (one, result), n in counts.most_common() if one == label}
        texts = ", ".join(f"{result} {count}" for result, count in results.items())
        print(f"  {prefix}{label}, {sum(results.values())}: {texts}")


def report_turned(model: str) -> None:
    """Print what becomes of people who stand in pictures that are turned, and of their gravity."""
    level: Counter[str] = Counter()
    along: Counter[str] = Counter()
    for person, turns in turnable():
        try:
            pose = turned_pose(person, turns, model)
        except media.MediaUnavailable:
            continue
        if pose is None:
            continue
        points, seen = points_of(pose), pose.visibility
        level[posture(Figure(points.tolist(), seen.tolist()))] += 1
        along[
            posture(Figure(points.tolist(), seen.tolist(), np.array((-turns, 0.0, 0.0)).tolist()))
        ] += 1
    count = sum(level.values())
    print(
        f"turned by 90 degrees, {count} found: lying {share(level['lying'], count)}, {dict(level)}"
    )
    print(f"  the same with gravity turned too: {dict(along)}")


if __name__ == "__main__":
    sys.exit(main())
