"""Arrays that take long to make, stored below `test/media/`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import media
import numpy as np
import numpy.typing as npt

FOLDER = media.FOLDER / "people"

Arrays = Mapping[str, npt.NDArray[Any]]


def stored_arrays(name: str, recipe: object, make: Callable[[], Arrays]) -> Arrays:
    """Return what `make` returns, from the file of an earlier call if there is one.

    Whatever the arrays depend on must show in `repr(recipe)`: another recipe is another file.
    """
    file = FOLDER / f"{name}_{hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]}.npz"
    if not file.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{os.getpid()}_{file.name}")
        np.savez_compressed(temporary, allow_pickle=False, **make())
        os.replace(temporary, file)
    with np.load(file) as arrays:
        return dict(arrays)
