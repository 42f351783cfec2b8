"""The next steps after a fit: commands and code to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..aligner import Aligner
from ..types import Side
from .console import plain_console


@dataclass(frozen=True)
class NextStep:
    """The lines that follow a report.

    Attributes:
        out: the folder of the saved aligner.
        encoders: the encoder names of the command line, by side.
        test: the file of test pairs, if one was named.
    """

    aligner: Aligner
    out: Path
    encoders: Mapping[Side, str | None]
    test: Path | None = None

    def print(self) -> None:
        """Print the lines; none is wrapped, so that each can be copied."""
        console = plain_console()
        for line in self._lines():
            console.print(line, soft_wrap=True)

    def _lines(self) -> Iterator[str]:
        advised, unchanged = self.aligner.advised, self.aligner.projection.is_identity
        if unchanged and not advised:
            yield (
                f"{self.out} holds the identity and changes nothing: ask the index with the target "
                "encoder, which finds more. Loading this aligner gives a warning. More pairs may "
                "help."
            )
        elif unchanged:
            yield (
                f"{self.out} holds the identity and changes nothing: keep your pipeline. More "
                "pairs, or an encoder that reads the source better, may help."
            )
        elif not advised:
            yield f"{self.out} is saved for a look, not for use: the integrations warn of it."
            yield from self._score()
        else:
            yield from self._use()

    def _use(self) -> Iterator[str]:
        load = f"load({', '.join([_quoted(str(self.out)), *self._keywords()])})"
        yield "LangChain:"
        yield "    from kakehashi.integrations.langchain import AlignedEmbeddings"
        yield f"    embeddings = AlignedEmbeddings.{load}"
        yield "LlamaIndex:"
        yield "    from kakehashi.integrations.llama_index import AlignedEmbedding"
        yield f"    embedding = AlignedEmbedding.{load}"
        folder = shlex.quote(str(self.out))
        if self.aligner.mode == "shared":
            yield "Project the stored vectors once, and index the projected ones:"
            yield f"    kakehashi project {folder} VECTORS.npz PROJECTED.npz"
        yield from self._score()

    def _score(self) -> Iterator[str]:
        folder = shlex.quote(str(self.out))
        pairs = "OTHER_PAIRS" if self.test is None else shlex.quote(str(self.test))
        yield "Score it on pairs that it was not trained on:"
        yield f"    kakehashi evaluate {folder} {pairs}{self._options()}"

    def _passed(self) -> Iterator[tuple[Side, str]]:
        """Yield the encoders that the aligner cannot load by its own record."""
        for side, name in self.encoders.items():
            identity = self.aligner.identities[side]
            if name is not None and identity is not None and identity.model is None:
                yield side, name

    def _keywords(self) -> list[str]:
        return [f"{side}_encoder={_quoted(name)}" for side, name in self._passed()]

    def _options(self) -> str:
        options = [f" --{side}-encoder {shlex.quote(name)}" for side, name in self._passed()]
        return "".join(options)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
