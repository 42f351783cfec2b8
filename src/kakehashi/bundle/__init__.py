"""The folder of a saved aligner or multi aligner, and how it is read without trusting it.

::

    aligner.json          record: format number, configuration, report, hashes
    weights.safetensors   tensors
    README.md             card for people; never read back

    multi_aligner.json    record: format number, name of the target, fingerprints of the aligners
    aligners/NAME/        a folder as above, for each source modality

``format`` is one integer, and :data:`FORMAT` is the only one that is read. A change of the layout
raises it. The record holds its own SHA-256 (of the canonical JSON without the field ``sha256``). It
also holds the size and SHA-256 of the tensor file. So a damaged file is told from a sound one. The
hashes are no signature: whoever can write the folder can write them, too.
"""

from .consistency import consistently
from .layout import ALIGNERS, CARD, FORMAT, MULTI_RECORD, RECORD, WEIGHTS
from .places import check_parent, check_place, refuse_model_of_aligner
from .reading import holds_multi_aligner, read, read_multi_aligner
from .writing import write, write_multi_aligner

__all__ = [
    "ALIGNERS",
    "CARD",
    "FORMAT",
    "MULTI_RECORD",
    "RECORD",
    "WEIGHTS",
    "check_parent",
    "check_place",
    "consistently",
    "holds_multi_aligner",
    "read",
    "read_multi_aligner",
    "refuse_model_of_aligner",
    "write",
    "write_multi_aligner",
]
