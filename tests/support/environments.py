"""Environments that hold one extra of a wheel, and nothing else that this environment has."""

from __future__ import annotations

import venv
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def make_environment(folder: Path, wheel: Distribution, extra: str) -> Path:
    """Make an empty environment of the wheel, one extra and what both require. Return its Python.

    Nothing is downloaded. The files of each distribution that the metadata require are linked from
    this environment; no other distribution can be imported.

    Raises:
        LookupError: a requirement is not installed here, or in a version that is refused.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    link([wheel, *requirements(wheel, {extra})], site)
    return folder / "bin" / "python"


def requirements(root: Distribution, extras: set[str]) -> list[Distribution]:
    """Return the distributions that these extras of a distribution require, directly or not."""
    found: dict[str, Distribution] = {}
    todo, seen = [(root, frozenset(extras))], set()
    while todo:
        one, wanted = todo.pop()
        if (one.name, wanted) in seen:
            continue
        seen.add((one.name, wanted))
        for line in one.requires or ():
            need = Requirement(line)
            if need.marker and not any(need.marker.evaluate({"extra": e}) for e in wanted | {""}):
                continue
            name = canonicalize_name(need.name)
            own = name == canonicalize_name(root.name)
            dependency = root if own else _installed(name, need, one)
            if not own:
                found[name] = dependency
            todo.append((dependency, frozenset(need.extras)))
    return list(found.values())


def _installed(name: str, need: Requirement, by: Distribution) -> Distribution:
    try:
        dependency = distribution(name)
    except PackageNotFoundError:
        raise LookupError(f"{by.name} requires {need}, which is not installed") from None
    if not need.specifier.contains(dependency.version, prereleases=True):
        raise LookupError(f"{by.name} requires {need}, installed is {dependency.version}")
    return dependency


def link(wanted: Iterable[Distribution], site: Path) -> None:
    """Link the files of distributions into a folder, and none of another distribution.

    A folder is linked whole where the wanted have it for themselves. Where others share it (a
    namespace package) it is made, and its content is linked piece by piece.
    """
    wanted = list(wanted)
    names = {canonicalize_name(one.name) for one in wanted}
    foreign = _folders(frozenset(names))
    for one in wanted:
        for file in _files(one):
            parts = [*reversed(file.parents), file][1:]  # from the topmost folder to the file
            path = site / next(part for part in parts if part not in foreign)
            if not path.is_symlink():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(Path(str(one.locate_file(""))).resolve() / path.relative_to(site))


def _folders(names: frozenset[str]) -> set[PurePosixPath]:
    """Return every folder in which a distribution of another name has a file."""
    others = [files for name, files in _installed_files().items() if name not in names]
    return {folder for files in others for file in files for folder in file.parents}


@cache
def _installed_files() -> dict[str, list[PurePosixPath]]:
    return {canonicalize_name(one.name): _files(one) for one in distributions()}


def _files(one: Distribution) -> list[PurePosixPath]:
    """Return the files of a distribution that can be imported, relative to its folder."""
    files = [PurePosixPath(file) for file in one.files or ()]
    return [f for f in files if f.parts[0] != ".." and f.parts[-2:-1] != ("__pycache__",)]
