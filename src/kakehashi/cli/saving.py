"""What a command writes: whether it may, and where the result is kept if it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import typer

from ..aligner import Aligner
from ..bundle import RECORD, check_parent, check_place
from ..encoders.protocol import kept_from
from ..language import translate_sentence
from .console import plain_console

INTERRUPTED = 130
"""Exit code of a command that was stopped by Ctrl-C: 128 and the number of the signal."""


def check_free(out: Path, *, overwrite: bool, kind: str = "folder") -> None:
    """Raise FileExistsError where something is there and --overwrite is not passed."""
    if os.path.lexists(out) and not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite or another {kind}.")


def check_file(out: Path, *read: Path | None) -> None:
    """Check that a file can be written, before the work, and is none of those that are read.

    Raises:
        OSError: it is a folder or read, or nothing can be written there.
    """
    check_parent(out)
    if out.is_dir():
        raise IsADirectoryError(f"{out} is a folder; name a file.")
    if out.exists() and not os.access(out, os.W_OK):
        raise PermissionError(f"{out} cannot be written: it is not ours to write to.")
    if any(
        path is not None and out.exists() and path.exists() and out.samefile(path) for path in read
    ):
        raise FileExistsError(f"{out} is read by this command; name another file to write.")


def check_folder(out: Path, *, overwrite: bool, record: str = RECORD) -> None:
    """Check that an aligner can be written, before the work whose result would be lost.

    Raises:
        OSError: as :func:`kakehashi.bundle.check_place` raises it.
    """
    check_free(out, overwrite=overwrite)
    check_place(out, overwrite=overwrite, record=record)


def write_file(out: Path, content: str | bytes) -> None:
    """Write a file that :func:`check_file` let pass, and the folders above it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def named(out: Path) -> Iterator[None]:
    """Name a file in an error of the system that names none, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(out)) from error


def save_somewhere(aligner: Aligner, out: Path, *, overwrite: bool) -> None:
    """Save a fitted aligner; where that fails, keep it in another folder and say where.

    Raises:
        OSError: it could not be saved to ``out``.
    """
    try:
        aligner.save(out, overwrite=overwrite)
    except OSError as error:
        kept = _kept_elsewhere(aligner, out)
        advice = (
            f"The fitted aligner is kept in {kept}: make room, and move it."
            if kept is not None
            else "The fitted aligner could not be kept elsewhere; make room, and fit it again."
        )
        raise OSError(f"{error}. {advice}") from error


def _kept_elsewhere(aligner: Aligner, out: Path) -> Path | None:
    """Save to the folder for temporary files, or else to that of the user or the current one."""
    for place in (gettempdir(), os.path.expanduser("~"), os.curdir):
        with suppress(OSError):
            folder = Path(mkdtemp(prefix="kakehashi-", dir=place))
            try:
                return aligner.save(folder / out.name).absolute()
            except OSError:
                with suppress(OSError):
                    folder.rmdir()
    return None


@contextmanager
def when_stopped(said: Callable[[KeyboardInterrupt], str]) -> Iterator[None]:
    """Say something after Ctrl-C, and end with exit code 130."""
    try:
        yield
    except KeyboardInterrupt as stop:
        plain_console(stderr=True).print(translate_sentence(said(stop)), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def saying_what_is_kept(out: Path, cache: Path | None) -> Iterator[None]:
    """Say after Ctrl-C what is kept of a fit, and end with exit code 130."""
    before = _state(out)

    def kept(stop: KeyboardInterrupt) -> str:
        if _state(out) != before:
            return f"stopped. {out} holds the new aligner, whole."
        vectors = kept_from(stop) or "No vectors are kept; --cache FILE would keep them."
        if cache is not None and cache.is_file():
            vectors = f"{cache} keeps what was encoded; the same command goes on from there."
        if before is None:
            return f"stopped. {out} was not written. {vectors}"
        return f"stopped. {out} is as it was. {vectors}"

    with when_stopped(kept):
        yield


@contextmanager
def saying_what_is_saved(out: Path) -> Iterator[None]:
    """Say on standard error, where what follows a fit fails, that the aligner is saved."""
    try:
        yield
    except Exception:
        said = f"{out} holds the new aligner, whole."
        plain_console(stderr=True).print(said, soft_wrap=True)
        raise


def _state(out: Path) -> tuple[int, int] | None:
    try:
        found = out.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
