"""Everything that kakehashi raises on purpose.

::

    KakehashiError
    ├── DataError (ValueError)            the caller's data cannot be used
    │   ├── PairsError                    findings in a set of pairs, each with its row
    │   ├── ReaderError                   a file of pairs cannot be read
    │   └── VectorError                   vectors of a wrong shape, type or value
    ├── CacheError                        a file of cached vectors is damaged or something else
    ├── EncoderError                      an encoder is missing or misbehaves
    │   └── EncoderMismatchError          another encoder than the aligner was trained with
    ├── FitError (ValueError)             there are too few pairs
    ├── BundleError                       a saved aligner cannot be read
    │   └── BundleTamperedError           a saved aligner must not be trusted
    ├── AlignerMismatchError              another aligner than the one recorded, or than the one
    │                                     that filled an index
    ├── MigrationError                    an index could not be moved, or is not verified
    ├── SearchTimeoutError (TimeoutError) a search took longer than its limit
    └── MissingExtraError (ImportError)   an optional package is not installed

    NotAdvisedWarning (UserWarning)       an aligner is used that was not shown to help
    UncheckedIndexWarning (UserWarning)   an index could not be shown to be the aligner's
    DegradedWarning (UserWarning)         one of several searches failed, and the others answered
"""

from __future__ import annotations


class KakehashiError(Exception):
    """Base of every error that kakehashi raises on purpose."""


class DataError(KakehashiError, ValueError):
    """The caller's data cannot be used."""


class PairsError(DataError):
    """A set of pairs has rows that cannot be used."""


class ReaderError(DataError):
    """A file of pairs, or of texts without one, cannot be read."""


class VectorError(DataError):
    """Vectors have a wrong shape, dtype or value."""


class CacheError(KakehashiError):
    """A file of cached vectors is damaged, or is something else."""


class EncoderError(KakehashiError):
    """An encoder is missing, or its vectors cannot be used."""


class EncoderMismatchError(EncoderError):
    """The encoder at hand is not the one that the aligner was trained with."""


class FitError(KakehashiError, ValueError):
    """There are too few pairs."""


class BundleError(KakehashiError):
    """A saved aligner cannot be read: missing, cut off, of another format, or a pickle."""


class BundleTamperedError(BundleError):
    """A saved aligner must not be trusted: its record, hashes or sizes contradict each other."""


class AlignerMismatchError(KakehashiError):
    """The aligner at hand is not the one that was recorded, or that filled an index."""


class MigrationError(KakehashiError):
    """An index could not be moved to the end, or what was moved is not verified.

    The index that is moved is as it was; the same command goes on from where it stopped.
    """


class SearchTimeoutError(KakehashiError, TimeoutError):
    """A search took longer than its limit."""


class MissingExtraError(KakehashiError, ImportError):
    """An optional package is not installed; the message names the extra."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed. It comes with the extra '{extra}'; from a clone: "
            f"pip install '.[{extra}]'"
        )


class NotAdvisedWarning(UserWarning):
    """An aligner is used against the advice of its report."""


class UncheckedIndexWarning(UserWarning):
    """Nothing at hand shows whether the vectors of an index are the aligner's."""


class DegradedWarning(UserWarning):
    """One of several searches failed, and the others answered without it, as was requested."""


def add_note(error: BaseException, note: str) -> None:
    """Do what ``Exception.add_note`` does, which Python 3.10 lacks."""
    error.__dict__["__notes__"] = [*getattr(error, "__notes__", []), note]
