"""What is in an index: which encoder, which aligner, and what is wrong with it."""

from .diagnosis import Diagnosis
from .examine import examine
from .finding import Finding

__all__ = ["Diagnosis", "Finding", "examine"]
