"""Write the table of the joints in docs/bones.md from the code: `make docs`."""

from __future__ import annotations

from pathlib import Path

from pose_ros.body.joints import JOINT_ANGLES

FILE = Path(__file__).resolve().parents[2] / "docs" / "bones.md"
START, END = "<!-- joints, by make docs -->\n", "<!-- end of joints -->\n"


def page() -> str:
    """Return the text of the page with the present table."""
    before, _, rest = FILE.read_text(encoding="utf-8").partition(START)
    return f"{before}{START}{table()}{END}{rest.partition(END)[2]}"


def table() -> str:
    """Return a row for each angle; `*` stands for left and right."""
    rows = ["| joint | is 0 when | positive |", "| --- | --- | --- |"]
    for row in JOINT_ANGLES:
        name = row.name if row.sides == ("",) else f"*_{row.name}"
        rows.append(f"| `{name}` | {row.zero} | {row.positive} |")
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
