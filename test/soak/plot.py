"""A plot of a soak run over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soak.record import Record
from soak.rig import SoakError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_plot() -> None:
    """Raise SoakError if there is nothing to plot with."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SoakError(
            "the plot needs matplotlib, which is not here: pip install matplotlib, or --no-plot"
        ) from error


def plot(records: Sequence[Record], nodes: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw latency, rate, memory and processor time of all nodes into a PNG file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(4, 1, sharex=True, figsize=(10, 11), layout="constrained")
    for record, node in zip(records, nodes, strict=True):
        _plot_periods(axes, node)
        seconds = [(item.time_ns - record.start_ns) / 1e9 for item in record.samples]
        axes[2].plot(seconds, [item.memory_mb for item in record.samples], label=node["name"])
    _mark_spans(axes, records)
    labels = ("latency, ms", "frames per s", "memory of the node, MB", "processor, cores")
    for axis, label in zip(axes, labels, strict=True):
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower left", fontsize="small", ncols=4)
    axes[-1].set_xlabel("s")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _plot_periods(axes: Sequence[Axes], node: Mapping[str, Any]) -> None:
    rows, name = node["periods"], node["name"]
    middle_s = [(row["from_s"] + row["to_s"]) / 2 for row in rows]
    for key in ("median", "p95", "p99"):
        values = [row["latency_ms"][key] for row in rows]
        axes[0].plot(middle_s, _gaps(values), marker=".", label=f"{name} {key}")
    for key in ("sent", "processed"):
        rates = [row[key] / (row["to_s"] - row["from_s"]) for row in rows]
        axes[1].plot(middle_s, rates, marker=".", label=f"{name} {key}")
    axes[3].plot(middle_s, _gaps([row["cpu_share"] for row in rows]), marker=".", label=name)


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _mark_spans(axes: Sequence[Axes], records: Sequence[Record]) -> None:
    """Draw a thin line where the camera was killed, a model was loaded, or the node disabled."""
    colors = {"camera killed": "tab:red", "model loading": "tab:purple", "disabled": "tab:gray"}
    for name, color in colors.items():
        times_s = [
            (span.start_ns - record.start_ns) / 1e9
            for record in records
            for span in record.spans
            if span.name == name
        ]
        for number, time_s in enumerate(times_s):
            label = name if number == 0 else None
            axes[1].axvline(time_s, color=color, alpha=0.4, linewidth=0.8, label=label)
