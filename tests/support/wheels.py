"""Wheels, built from a source tree and unpacked beside nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def build_wheel(project: Path, out: Path) -> Path:
    """Build the wheel of a project into a folder, without the network."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*command, out, project], check=True, capture_output=True)
    [path] = out.glob("*.whl")
    return path


def unpack(wheels: list[Path], site: Path) -> None:
    """Install wheels into a folder, without what they require."""
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", site, *wheels], check=True, capture_output=True)
