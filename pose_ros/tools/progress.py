"""A progress line on a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass

_BAR_CELLS = 30


@dataclass
class Progress:
    """Shows the progress of a job on stderr if that is a terminal, else nothing.

    `total` may be an estimate, or 0 when it is not known.
    """

    label: str
    total: int
    done: int = 0

    def advance(self) -> None:
        """Count one more step and show it."""
        self.done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{self}")
            sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self.done and sys.stderr.isatty():
            sys.stderr.write("\n")

    def __str__(self) -> str:
        if not self.total:
            return f"{self.label} {self.done}"
        share = min(1.0, self.done / self.total)
        bar = "#" * round(share * _BAR_CELLS)
        return f"{self.label} [{bar:<{_BAR_CELLS}}] {self.done}/{max(self.done, self.total)}"
