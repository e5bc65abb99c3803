"""Make the golden files of the 33-landmark models anew, or check them, with MediaPipe itself.

`python test/reference/make.py` needs pip, npm, the network and 1 GB for MediaPipe's environment.
The figures depend on the processor's kind in their last bits, and tracking amplifies those.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from mediapipe_pose import FOLDER, MODELS, Arrays, MediaPipeError, run_mediapipe
from run_graph import save

sys.path.append(str(FOLDER.parent))

import media

GOLDEN = FOLDER.parent / "golden"
IMAGES = ("astronaut", *(f"faceapi_sample{number}" for number in range(1, 7)))
CLIPS = {"astronaut_moving": 40, "cap12_edit": 100, "cuts": 140, "sports2d_demo": 120}
MASKS = {"astronaut": (0,), "cap12_edit": (0, 50, 99)}


@dataclass(frozen=True)
class Recipe:
    """One golden file: `kind` is static, raw, smooth or mask."""

    model: str
    name: str
    kind: str

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.model}__{self.name}__{self.kind}.npz"

    def make(self) -> Arrays:
        """Run MediaPipe on the input."""
        if self.kind == "mask":
            return self._make_masks()
        frames = islice(media.frames(self.name), CLIPS.get(self.name, 1))
        return run_mediapipe(frames, self.model, self.kind)

    def _make_masks(self) -> Arrays:
        indices = MASKS[self.name]
        frames = islice(media.frames(self.name), max(indices) + 1)
        mode = "raw" if self.name in CLIPS else "static"
        mask = run_mediapipe(frames, self.model, mode, mask_frames=indices)["mask"]
        return {"mask": np.rint(mask * 255).astype(np.uint8), "frame": np.array(indices)}


def recipes() -> Iterator[Recipe]:
    """Give every golden file that is made here."""
    for model in MODELS:
        for name in IMAGES:
            yield Recipe(model, name, "static")
        for name in CLIPS:
            yield Recipe(model, name, "raw")
            yield Recipe(model, name, "smooth")
        for name in MASKS:
            yield Recipe(model, name, "mask")


def changes(old: Arrays, new: Arrays) -> list[str]:
    """Return, per array, what is not the same to the last bit."""
    found = [f"{name} is in one of them only" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        a, b = old[name], new[name]
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            found.append(f"{name} was {a.shape} {a.dtype}, is {b.shape} {b.dtype}")
        elif a.tobytes() != b.tobytes():
            a, b = a.astype(float), b.astype(float)
            appeared = int((np.isnan(a) != np.isnan(b)).sum())
            largest = np.nanmax(np.abs(a - b), initial=0)
            found.append(f"{name} by {largest:.3g}, {appeared} values came or went")
    return found


def renew(recipe: Recipe, folder: Path, is_check: bool) -> bool:
    """Make one file and print how it changed; return whether it is the same as before."""
    new, path = recipe.make(), folder / recipe.file
    old: Arrays = {}
    if path.is_file():
        with np.load(path) as arrays:
            old = dict(arrays)
    found = changes(old, new) if old else ["new"]
    print(f"{recipe.file}: {'; '.join(found) or 'the same'}", flush=True)
    if found and not is_check:
        save(path, new)
    return not found


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Make the golden files with MediaPipe itself.")
    parser.add_argument("--out", type=Path, default=GOLDEN, help="folder of the files")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one differs")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        for name in (*IMAGES, *CLIPS):
            if not media.decoded_as_reference(name):
                sys.exit(f"error: OpenCV here decodes {name} to other pixels than the reference's")
        same = [renew(recipe, arguments.out, arguments.check) for recipe in recipes()]
    except (MediaPipeError, media.MediaUnavailable) as error:
        sys.exit(f"error: {error}")
    if arguments.check and not all(same):
        sys.exit(f"error: {same.count(False)} of {len(same)} files differ")


if __name__ == "__main__":
    main()
