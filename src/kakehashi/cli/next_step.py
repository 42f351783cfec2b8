"""The next steps after a fit or a comparison: commands and code to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..evaluation.comparison_verdict import ALIGNER, ComparisonVerdict
from ..evaluation.second_look import AGAIN, SECOND
from ..language import translate
from ..printable import without_password
from ..training.verdict import FEW_QUERIES
from ..types import Side
from .console import plain_console
from .paste import blocks


@dataclass(frozen=True)
class NextStep:
    """The lines that follow a report.

    Attributes:
        out: the folder of the saved aligner.
        encoders: the encoder names of the command line, by side.
        test: the file of test pairs, if one was named.
        how_file: ``encoding`` and ``sheet``, by which the files of the fit were read.
        pairs: those of the fit, whose texts stand in the code to paste.
        page: the report that the fit wrote, if it did.
    """

    aligner: Aligner
    out: Path
    encoders: Mapping[Side, str | None]
    test: Path | None = None
    how_file: Mapping[str, str | None] = field(default_factory=dict)
    pairs: Pairs | None = None
    page: Path | None = None

    def print(self) -> None:
        """Print the lines; none is wrapped, so that each can be copied."""
        console = plain_console()
        for line in self._lines():
            console.print(line, soft_wrap=True)
        if self.page is not None:
            at = translate("A page to show, open it in a browser: {path}", path=self.page)
            console.print(at, soft_wrap=True)

    def _lines(self) -> Iterator[str]:
        advised, unchanged = self.aligner.advised, self.aligner.projection.is_identity
        if unchanged and not advised:
            yield translate(
                "{out} holds the identity and changes nothing: ask the index with the target "
                "encoder, which finds more. Loading this aligner gives a warning. More pairs may "
                "help.",
                out=self.out,
            )
        elif unchanged:
            yield translate(
                "{out} holds the identity and changes nothing: keep your pipeline. More pairs, or "
                "an encoder that reads the source better, may help.",
                out=self.out,
            )
        elif not self.aligner.report.judged:
            yield translate(
                "{out} was fitted without pairs: the integrations warn that none judged it.",
                out=self.out,
            )
            yield from self._score()
        elif not advised:
            yield translate(
                "{out} is saved for a look, not for use: the integrations warn of it.", out=self.out
            )
            yield from self._score()
        else:
            yield from self._use()

    def _use(self) -> Iterator[str]:
        yield ""
        for framework, code in blocks(self.aligner, self.out, dict(self._passed()), self.pairs):
            yield translate("Ask it from Python ({framework}):", framework=framework)
            yield f"\n{code}\n"
        folder = shlex.quote(str(self.out))
        if self.aligner.mode == "shared":
            yield translate("Project the stored vectors once, and index the projected ones:")
            yield f"    kakehashi project {folder} VECTORS.npz PROJECTED.npz"
        yield from self._score()
        if self.page is None:
            yield translate("Write a page to show:")
            yield f"    kakehashi report {folder}"

    def _score(self) -> Iterator[str]:
        folder = shlex.quote(str(self.out))
        pairs = "OTHER_PAIRS" if self.test is None else shlex.quote(str(self.test))
        yield translate("Score it on pairs that it was not trained on:")
        yield f"    kakehashi evaluate {folder} {pairs}{self._options()}"

    def _passed(self) -> Iterator[tuple[Side, str]]:
        """Yield the encoders that the aligner cannot load by its own record."""
        for side, name in self.encoders.items():
            identity = self.aligner.identities[side]
            if name is not None and identity is not None and identity.model is None:
                yield side, name

    def _options(self) -> str:
        options = [f" --{side}-encoder {shlex.quote(name)}" for side, name in self._passed()]
        given = {} if self.test is None else self.how_file
        options += [f" --{name} {shlex.quote(value)}" for name, value in given.items() if value]
        return "".join(options)


def after_comparison(verdict: ComparisonVerdict, pairs: Path, options: Mapping[str, Any]) -> str:
    """Return what to do after `kakehashi compare`, as a line to paste where a command does it.

    Args:
        options: those of the command that `fit` and `curve` take, too, and ``fit`` itself.
    """
    shared = {name: value for name, value in options.items() if name != "fit"}
    if verdict.leader is None:
        return f"collect more questions with their answers: at least {FEW_QUERIES}"
    if not options["fit"]:
        return f"hold an aligner against these: {_command('compare', pairs, options, fit=True)}"
    if verdict.leader == ALIGNER or not verdict.shown:
        return f"fit on all pairs: {_command('fit', pairs, shared, out='my-aligner')}"
    if verdict.leader.startswith(SECOND):
        fit = _command("fit", pairs, shared, out="my-aligner")
        return f"fit on all pairs, and give a retriever rescore_with=kakehashi.SecondModel: {fit}"
    if verdict.leader.startswith(AGAIN):
        encoder = verdict.leader.removeprefix(AGAIN)
        return f"fill the index with {encoder}, and ask it with {encoder}: that needs no aligner"
    return {
        "bm25": "search by words, too: HybridRetriever with a BM25Search beside the vectors",
        "cosine": "ask the index with the source encoder, without an aligner",
    }.get(
        verdict.leader,
        f"see what more pairs are likely to bring: {_command('curve', pairs, shared)}",
    )


def _command(name: str, pairs: Path, options: Mapping[str, Any], **others: Any) -> str:
    """Return a command; options that are None or False are left out, and lists are repeated."""
    words = ["kakehashi", name, str(pairs)]
    for option, given in {**options, **others}.items():
        for value in given if isinstance(given, list) else [given]:
            if value is not None and value is not False:
                words.append(f"--{option.replace('_', '-')}")
                words += [] if value is True else [without_password(str(value))]
    return shlex.join(words)
