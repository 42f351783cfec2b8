"""The thin distributions: built, installed beside kakehashi, and run through their own tests."""

import os
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.wheels import build_wheel, unpack

import kakehashi

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in (ROOT / "packages").glob("*/pyproject.toml"))
NAMES = [package.name for package in PACKAGES]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the four distributions, installed by pip."""
    folder = tmp_path_factory.mktemp("packages")
    wheels = [build_wheel(project, folder / project.name) for project in (ROOT, *PACKAGES)]
    unpack(wheels, folder / "site")
    return folder / "site"


def distribution(site, name):
    [record] = site.glob(f"{name.replace('-', '_')}-*.dist-info")
    return PathDistribution(record)


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_distribution_passes_its_own_tests_where_it_is_installed(package, site):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "pytest", package / "tests"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    imported = distribution(site, package.name).read_text("RECORD")
    assert "py.typed" in imported


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_distribution_holds_its_module_alone(package, site):
    """A file at a shared level of llama_index would hide the other integrations."""
    files = [str(file) for file in distribution(site, package.name).files]
    code = [file for file in files if ".dist-info" not in file and not file.endswith(".pyc")]
    folders = {os.path.dirname(file) for file in code}
    assert len(folders) == 1, folders
    assert sorted(os.path.basename(file) for file in code) == ["__init__.py", "py.typed"]


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_distribution_pins_kakehashi_and_its_framework_alike(package, site):
    ours, main = distribution(site, package.name), distribution(site, "kakehashi")
    assert ours.version == main.version == kakehashi.__version__
    needs = {need.name: need for need in map(Requirement, ours.requires)}
    assert needs["kakehashi"].specifier.contains(main.version)
    major, minor, *_ = map(int, main.version.split("."))
    assert not needs["kakehashi"].specifier.contains(f"{major}.{minor + 1}.0")
    [extra] = needs["kakehashi"].extras
    wanted = [Requirement(line) for line in main.requires]
    [framework] = [
        need for need in wanted if need.marker and need.marker.evaluate({"extra": extra})
    ]
    assert needs[framework.name].specifier == framework.specifier
