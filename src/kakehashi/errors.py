"""Everything that kakehashi raises on purpose.

::

    KakehashiError
    ├── DataError (ValueError)            the caller's data cannot be used
    │   ├── PairsError                    findings in a set of pairs, each with its row
    │   ├── ReaderError                   a file of pairs cannot be read
    │   └── VectorError                   vectors of a wrong shape, type or value
    ├── CacheError                        a file of cached vectors is damaged or no such file
    ├── EncoderError                      an encoder is missing or misbehaves
    │   └── EncoderMismatchError          another encoder than the aligner was trained with
    ├── FitError (ValueError)             the pairs do not suffice for what was asked
    ├── BundleError                       a saved aligner cannot be read: it is missing, cut off or
    │   │                                 of another format, leads elsewhere, or is a pickle
    │   └── BundleTamperedError           it is not to be trusted: hashes, sizes or its record
    │                                     contradict each other
    ├── AlignerMismatchError              another aligner than the one recorded
    └── MissingExtraError (ImportError)   an optional package is not installed

    NotAdvisedWarning (UserWarning)       what is served was not shown to help
    DegradedWarning (UserWarning)         an arm of a mixed search failed, and the rest answered
"""

from __future__ import annotations


class KakehashiError(Exception):
    """Base of every error that kakehashi raises on purpose."""


class DataError(KakehashiError, ValueError):
    """The caller's data cannot be used."""


class PairsError(DataError):
    """A set of pairs has findings that the caller asked to raise on."""


class ReaderError(DataError):
    """A file of pairs, or of texts without one, cannot be read."""


class VectorError(DataError):
    """Vectors have a wrong shape, dtype or value."""


class CacheError(KakehashiError):
    """A file of cached vectors is damaged, or is something else."""


class EncoderError(KakehashiError):
    """An encoder is missing, or returns what no encoder should."""


class EncoderMismatchError(EncoderError):
    """The encoder at hand is not the one that the aligner was trained with."""


class FitError(KakehashiError, ValueError):
    """The pairs do not suffice for what was asked."""


class BundleError(KakehashiError):
    """A saved aligner cannot be read."""


class BundleTamperedError(BundleError):
    """A saved aligner is not to be trusted: hashes, sizes or its record contradict each other."""


class AlignerMismatchError(KakehashiError):
    """The aligner at a path is not the one that was recorded with it."""


class MissingExtraError(KakehashiError, ImportError):
    """An optional package is not installed; the message names the extra."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed. It comes with the extra '{extra}'; from a clone: "
            f"pip install '.[{extra}]'"
        )


class NotAdvisedWarning(UserWarning):
    """An aligner is put to use that its own report advises against."""


class DegradedWarning(UserWarning):
    """An arm of a mixed search failed, and the others answered without it, as was asked."""


def add_note(error: Exception, note: str) -> None:
    """Do what ``Exception.add_note`` does, which Python 3.10 lacks."""
    error.__dict__["__notes__"] = [*getattr(error, "__notes__", []), note]
