"""The beginning of the page: the sentence, its interval, the verdict and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from ...language import translate, translate_sentence
from ...report import BM25, TARGET_ENCODER, UNTOUCHED
from ...training.verdict import FEW_QUERIES
from ..blocks import Block, Commands, Points, Text
from ..commands import command, encoder_options, folder_of
from ..facts import ReportFacts
from ..standing import Standing
from ..words import first_right, interval, name_of, percent


@dataclass(frozen=True)
class Headline:
    """What a reader sees first.

    Attributes:
        figure: the share of first answers that are right, set large where the aligner helps.
        sentence: the heading of the page.
        verdict: the case in two or three words.
        blocks: the interval, the reason and the next step.
    """

    figure: str
    sentence: str
    verdict: str
    case: str
    blocks: tuple[Block, ...]


def headline(facts: ReportFacts) -> Headline:
    """Lead with the sentence that the case asks for."""
    told = facts.standing
    after = told.after_scores
    shown = told.case == "helps"
    return Headline(
        figure=percent(after.means["recall@1"]) if after is not None and shown else "",
        sentence=_sentence(told),
        verdict=_verdict(told),
        case=told.case.replace(" ", "-"),
        blocks=tuple(_blocks(facts)),
    )


def _sentence(told: Standing) -> str:
    after = told.after_scores
    if after is None:
        return translate("No question has judged this aligner yet.")
    n = after.n_queries
    if told.case == "too few":
        return translate("{n:,} questions are too few to tell whether it helps.", n=n)
    if told.case == "cannot judge":
        return translate("These pairs cannot judge this aligner.")
    return _right(told)


def _right(told: Standing) -> str:
    """Say for how many questions the first answer is right, and for how many it was."""
    after, before = told.after_scores, told.before_scores
    assert after is not None
    right, n = first_right(after), after.n_queries
    if told.served == UNTOUCHED:
        return translate(
            "No map helps: the first answer stays right for {right:,} of {n:,} questions.",
            right=right,
            n=n,
        )
    if before is None:
        return translate(
            "The first answer is right for {right:,} of {n:,} questions.", right=right, n=n
        )
    was, asked = first_right(before), before.n_queries
    if asked != n:
        return translate(
            "The first answer is right for {right:,} of {n:,} questions; before, for {was:,} of "
            "{asked:,}.",
            right=right,
            n=n,
            was=was,
            asked=asked,
        )
    return translate(
        "The first answer is right for {right:,} of {n:,} questions; before, for {was:,}.",
        right=right,
        n=n,
        was=was,
    )


def _verdict(told: Standing) -> str:
    return translate(
        {
            "helps": "Use it",
            "does not help": "Do not use it",
            "too few": "Cannot tell yet",
            "cannot judge": "No verdict",
            "not judged": "Not judged",
        }[told.case]
    )


def _blocks(facts: ReportFacts) -> list[Block]:
    told = facts.standing
    after = told.after_scores
    blocks: list[Block] = []
    if after is not None and told.case in ("too few", "cannot judge"):
        blocks.append(Text(_right(told), "lead"))
    if after is not None:
        blocks.append(
            Text(
                translate(
                    "With other questions of this kind the share is likely {INTERVAL} "
                    "(95% interval). Every question searched {pool:,} documents.",
                    INTERVAL=interval(after),
                    pool=after.pool,
                ),
                "lead",
            )
        )
    blocks.append(
        Text(translate("Verdict in the words of the test: {REASON}.", REASON=told.reason))
    )
    if told.warnings:
        blocks.append(Points([translate_sentence(warning) for warning in told.warnings]))
    return [*blocks, *_next(facts)]


def _next(facts: ReportFacts) -> list[Block]:
    """Say what to do now, with a line to paste where a command does it."""
    told, folder = facts.standing, folder_of(facts.aligner)
    encoders = encoder_options(facts.aligner)
    if told.case == "helps":
        ask = command("search", folder, translate("QUESTION"), index="STORE", **encoders)
        told_to = translate(
            "What to do: serve it. This asks your index a question; STORE is its address, such as "
            "{ADDRESS}:",
            ADDRESS="chroma:FOLDER?collection=NAME",
        )
        return [Text(told_to), Commands(ask)]
    if told.case in ("too few", "not judged"):
        told_to = translate(
            "What to do: collect at least {least:,} questions with the document that answers each. "
            "Then judge the aligner by them:",
            least=FEW_QUERIES,
        )
        return [Text(told_to), Commands(command("report", folder, "QUESTIONS.csv", **encoders))]
    if told.case == "cannot judge":
        told_to = translate("What to do: judge it by pairs that it was not fitted on:")
        return [Text(told_to), Commands(command("report", folder, "OTHER_PAIRS.csv", **encoders))]
    return [Text(_without_aligner(told))]


def _without_aligner(told: Standing) -> str:
    rival, after = told.best_rival, told.after_scores
    if rival is not None and after is not None:
        finds_more = told.rows[rival].means["mrr@10"] >= after.means["mrr@10"]
        rival = rival if finds_more else None
    if rival == TARGET_ENCODER:
        return translate("What to do: ask the index with its own encoder, without the aligner.")
    if rival == BM25 and told.served != UNTOUCHED:
        return translate("What to do: search by words, too (a hybrid retriever with BM25).")
    if rival is None or told.served == UNTOUCHED:
        return translate(
            "What to do: keep your pipeline as it is. Check that each question stands beside its "
            "own answer. More pairs, or an encoder that reads the source better, may help."
        )
    return translate("What to do: keep {SYSTEM}. More pairs may help.", SYSTEM=name_of(rival))
