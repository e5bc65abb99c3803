"""Tables of landmarks as CSV or JSON files."""

from __future__ import annotations

import csv
import json
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pose_ros.tools.output_files import OutputFile

FORMATS = ("csv", "json")


@dataclass(frozen=True)
class LandmarkRow:
    """One landmark of one person in one frame.

    `u_px` and `v_px` are in px of the image, `depth_rel` is on the same scale (smaller is
    closer), `visibility` and `presence` in [0, 1].
    """

    stamp_ns: int
    frame: int
    person_id: int
    index: int
    name: str
    u_px: float
    v_px: float
    depth_rel: float
    visibility: float
    presence: float


COLUMNS = tuple(item.name for item in fields(LandmarkRow))


class LandmarkTable(OutputFile):
    """Writes rows as they come: CSV with a header, or a JSON list of objects, by the suffix."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = self._part.open("w", encoding="utf-8", newline="")
        self._is_json = path.suffix == ".json"
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._rows = 0
        if self._is_json:
            self._file.write("[")
        else:
            self._csv.writerow(COLUMNS)

    def write(self, row: LandmarkRow) -> None:
        """Append a row, its numbers rounded to six decimals."""
        values = [round(v, 6) if isinstance(v, float) else v for v in astuple(row)]
        if self._is_json:
            self._file.write(",\n" if self._rows else "\n")
            json.dump(dict(zip(COLUMNS, values, strict=True)), self._file)
        else:
            self._csv.writerow(values)
        self._rows += 1

    def _finish(self) -> None:
        if self._is_json:
            self._file.write("\n]\n")

    def _close(self) -> None:
        self._file.close()
