"""What the benchmarks share: the set-up that stands beside their figures, and their output."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def setting() -> dict[str, Any]:
    """Return the machine, the versions and the threads of this run."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("kakehashi", "numpy")},
        "threads": {name: os.environ.get(name, "not set") for name in THREADS},
    }


def describe(found: dict[str, Any]) -> str:
    """Return the set-up as one line."""
    return "; ".join(f"{name} {value}" for name, value in found.items())


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table."""
    lines = [list(map(str, header))]
    lines += [["---"] * len(lines[0]), *(list(map(str, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(result: dict[str, Any], out: Path | None) -> None:
    """Write the result as JSON, if that was asked for."""
    if out is not None:
        out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
