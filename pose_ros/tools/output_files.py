"""Files that tools write: checked before anything is written, and complete or not there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeVar

from pose_ros.blazepose.errors import PoseError

OutputT = TypeVar("OutputT", bound="OutputFile")

_numbers = itertools.count()


class OutputError(PoseError):
    """A file cannot be written, or must not be."""


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Raise OutputError if a file must not become an output; nothing is written.

    A regular file may be replaced, unless it is an input.
    """
    inputs, seen = tuple(inputs), set[Path]()
    for output in outputs:
        if output in seen:
            raise OutputError(f"{output} would be written twice; inputs need different names")
        seen.add(output)
        if output.is_symlink():
            raise OutputError(f"{output} is a link; only regular files are replaced")
        if not output.exists():
            continue
        if not output.is_file():
            raise OutputError(f"{output} is not a regular file; only such are replaced")
        if any(path.exists() and output.samefile(path) for path in inputs):
            raise OutputError(f"{output} is an input; it is not replaced")


@contextmanager
def text_log(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file that can be read while lines are written; no path, no file.

    It is removed if it cannot be written: its last line might be cut.
    """
    if path is None:
        yield None
        return
    try:
        with path.open("w", encoding="utf-8", buffering=1) as log:
            yield log
    except OSError:
        path.unlink(missing_ok=True)
        raise


class OutputFile:
    """A file with a temporary name in its folder until it is complete.

    As a context manager it is completed at the end, or removed if an exception passes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        name = f".part-{os.getpid()}-{next(_numbers)}{path.suffix}"
        self._part = path.with_name(name)

    def complete(self) -> None:
        """Give the file its own name; it is removed if that fails.

        Raises OutputError or OSError, for instance if the disk is full.
        """
        try:
            self._finish()
            self._close()
            if self._part.exists():
                self._part.replace(self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._close()
        self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Write what is left."""

    def _close(self) -> None:
        """Close the file; may be called again."""

    def __enter__(self: OutputT) -> OutputT:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.complete()
        else:
            self.discard()
