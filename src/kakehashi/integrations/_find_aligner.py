"""The folder of a saved aligner that was recorded elsewhere: it may lie in another place by now."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from ..bundle.layout import MULTI_RECORD, RECORD
from ..errors import AlignerMismatchError, BundleError, add_note
from ._aligner_field import load_checked
from ._modalities import Space

VARIABLE = "KAKEHASHI_ALIGNERS"
"""Environment variable: folders of aligners, or folders that hold such, as in ``PATH``."""


def find_aligner(path: str, fingerprint: str, beside: Sequence[Path] = ()) -> Space:
    """Load the aligner of a fingerprint: from its recorded folder, or from where it is now.

    Args:
        path: as it was recorded, perhaps on another machine.
        beside: folders to look in next: where the collection lies. Then come the folders of the
            environment variable ``KAKEHASHI_ALIGNERS``.

    Raises:
        AlignerMismatchError: the folder holds another aligner, and no other place holds this one.
        BundleError: nothing is at the path, and no other place holds the aligner.
    """
    named = os.environ.get(VARIABLE, "")
    places = [*beside, *(Path(each) for each in named.split(os.pathsep) if each)]
    try:
        return load_checked(path, fingerprint)
    except (AlignerMismatchError, BundleError) as error:
        for folder in _candidates(path, places):
            if _fingerprint_in(folder) == fingerprint:
                return load_checked(folder, fingerprint)
        searched = ", ".join(map(str, places)) or "nowhere"
        add_note(
            error,
            f"It was looked for beside the collection and in ${VARIABLE}, too ({searched}). Name "
            f"the folder that holds aligner {fingerprint[:12]}, or the one around it: "
            f"{VARIABLE}=FOLDER; or open the collection with it: open_collection(client, name, "
            "FOLDER).",
        )
        raise


def _candidates(path: str, places: Sequence[Path]) -> Iterator[Path]:
    """Yield folders by likelihood: of the recorded name first, then all others."""
    last = PureWindowsPath(path).name  # which reads both kinds of path
    for place in places:
        yield place / last
        yield place
        with suppress(OSError):
            yield from sorted(each for each in place.iterdir() if each.is_dir())


def _fingerprint_in(folder: Path) -> str | None:
    """Return the fingerprint that a folder states; what is loaded is checked against it."""
    for name in (RECORD, MULTI_RECORD):
        with suppress(OSError, ValueError, AttributeError):
            fingerprint = json.loads((folder / name).read_text("utf-8")).get("fingerprint")
            return None if fingerprint is None else str(fingerprint)
    return None
