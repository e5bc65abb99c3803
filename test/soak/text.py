"""The figures of a soak run as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.report import table


def as_text(report: Mapping[str, Any]) -> str:
    """Return tables over time, what became of frames and requests, and the fairness."""
    nodes = report["nodes"]
    blocks = [block for node in nodes for block in _blocks(node)]
    if "fairness" in report:
        fairness = report["fairness"]
        blocks.append(
            f"frames processed by the busiest node over those by the idlest: "
            f"{fairness['max_over_min']:.2f}; Jain's index {fairness['jain']:.3f}"
        )
    return "\n\n".join(blocks)


def _blocks(node: Mapping[str, Any]) -> Iterator[str]:
    yield table([_period_row(row) for row in node["periods"]])
    facts = {**_frame_facts(node), **_process_facts(node), **_request_facts(node)}
    width = max(map(len, facts)) + 2
    yield "\n".join([f"{node['name']}", *(f"{k.ljust(width)}{v}" for k, v in facts.items())])
    for title, counts in (("states in /diagnostics", "states"), ("log of the node", "logged")):
        if node[counts]:
            lines = [f"  {count:>5}  {text}" for text, count in node[counts].items()]
            yield "\n".join([title, *lines])


def _period_row(row: Mapping[str, Any]) -> dict[str, str]:
    seconds = row["to_s"] - row["from_s"]
    return {
        "from s": f"{row['from_s']:.0f}",
        "sent": f"{row['sent']}",
        "processed": f"{row['processed']}",
        "Hz": f"{row['processed'] / seconds:.1f}",
        **{f"{name} ms": _number(value, 1) for name, value in row["latency_ms"].items()},
        "memory MB": _number(row["memory_mb"], 1),
        "threads": _number(row["threads"]),
        "files": _number(row["files"]),
        "CPU": "-" if row["cpu_share"] is None else f"{row['cpu_share']:.0%}",
    }


def _frame_facts(node: Mapping[str, Any]) -> dict[str, str]:
    frames, latency = node["frames"], node["latency_ms"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in frames["by_kind"].items())
    share = frames["unprocessed"] / max(1, frames["expected"])
    return {
        "frames sent": f"{frames['sent']} ({kinds})",
        "processed": f"{frames['processed']}, {node['processed_hz']:.1f} per second; "
        f"{node['annotated']} annotated images, up to {node['most_people']} people",
        "good, unprocessed": f"{frames['unprocessed']} of {frames['expected']} ({share:.2%})",
        "counted by the node": f"{frames['dropped']} dropped for newer ones, "
        f"{frames['rejected']} of {frames['invalid']} invalid images rejected",
        "latency": ", ".join(f"{key} {_number(ms, 1)} ms" for key, ms in latency.items()),
        "median by thirds": ", ".join(f"{_number(ms, 1)} ms" for ms in node["latency_thirds_ms"]),
    }


def _process_facts(node: Mapping[str, Any]) -> dict[str, str]:
    process = node["process"]
    if not process:
        return {}
    memory = process["memory_mb"]
    slope, unshared = (
        f"{_number(process[name], 2)} MB/min" for name in ("slope_mb_min", "slope_unshared_mb_min")
    )
    return {
        "memory": f"{memory['first']:.1f} MB at first, {memory['last']:.1f} MB at last "
        f"({memory['shared_last']:.1f} MB of it shared), peak {memory['peak']:.1f} MB",
        "memory slope": f"{slope} from {process['slope_from_min']:.1f} min on, "
        f"not counting shared memory {unshared}",
        "threads, files": " and ".join(
            "{} to {}".format(*process[name]) for name in ("threads", "files")
        ),
        "processor": f"{process['cpu_share']:.0%} of a core",
    }


def _request_facts(node: Mapping[str, Any]) -> dict[str, str]:
    requests = node["requests"]
    if not requests["made"]:
        return {}
    return {
        "requests": f"{requests['made']}: {requests['accepted']} accepted, "
        f"{requests['rejected']} rejected, {len(requests['unprocessed'])} never processed, "
        f"{len(requests['wrong'])} not as expected",
        "camera restarts": str(node["camera_restarts"]),
    }


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
