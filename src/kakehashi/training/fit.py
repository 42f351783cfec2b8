"""fit(): prepare the data, tune every candidate map, judge the best one, assemble an aligner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..aligner import Aligner
from ..data.pairs import Pairs, check_pairs
from ..encoders.temporary_cache import cache_kept_if_it_fails
from ..errors import DataError
from ..types import Metric, Mode
from .assemble import assemble
from .fit_inputs import FitInputs, FitSettings
from .held_out_ranks import Ranks
from .inputs import as_encoders
from .judge import judge
from .model_selection import tune
from .one_thread import BLAS
from .prepare import prepare
from .second_map import tune_second
from .sources import as_sources
from .unjudged import fit_unjudged, is_questions


def fit(
    pairs: Pairs | Sequence[str] | None,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    mode: Mode = "keep",
    validation: Pairs | None = None,
    test: Pairs | None = None,
    learn_from: Any = None,
    metric: Metric | None = None,
    ngrams: bool | None = None,
    learned: bool | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Aligner:
    """Train an aligner on pairs, choose among candidate maps, and report on held-out queries.

    Each held-out query searches the whole index: all documents that the pairs name, and those of
    an index in ``learn_from``. Where documents have several questions, new ones about fitted
    documents judge, too.

    The map that ships is fitted on all pairs once the report stands, but never on a test set of
    your own. Hybrid searches need weights of scores; these are learned from the pairs that judge,
    yours among them. ``with kakehashi.progress.show_progress():`` shows progress bars.

    Without pairs, an index and starter pairs can be learned from. One fixed setting is taken, and
    the verdict is ``"not judged"``: collect thirty pairs and :func:`kakehashi.evaluation.evaluate`.

    Args:
        pairs: pairs of texts or vectors. Where there are none, None, or a list of questions of
            which nobody knows the answer; a few hundred show where the source language lies.
        source_encoder, target_encoder: the encoder of each modality, as
            :func:`kakehashi.encoders.as_encoder` takes it. A side that brings
            vectors needs none.
        mode: ``"keep"`` projects source vectors and leaves a stored index as it is. Its second map
            orders the first hits of a search again, from their stored vectors; the aligner holds it
            where it is shown to find more. ``"shared"`` projects both sides, for an index that is
            moved; :meth:`kakehashi.Aligner.as_shared` makes that of a second map, too.
        validation, test: held-out pairs of your own. Without them, and below 2,500 pairs, every
            pair judges out of fold: it is asked of a map that was chosen and fitted without its
            fold (by group). Of 2,500 and more a fifth is the test part, and the rest chooses.
        learn_from: what to learn from beside the pairs, one source or a list of them. It never
            judges, and validation chooses how much it counts.

            An index: what :func:`kakehashi.read_index` returns, a vector store of LangChain, a
            ``VectorStoreIndex`` of LlamaIndex, a collection of Chroma, or a list of texts. Every
            query searches all of its documents. The source encoder reads up to 5,000 of its texts
            (``read_index(..., learn=)`` names another number); stored vectors serve for the other
            side.

            Pairs: those of other fields (:func:`kakehashi.pairing.starter_pairs`), or guessed ones
            (:func:`kakehashi.pairing.pseudo_pairs`). Or an aligner of the same two encoders, which
            was made of other pairs: one that was fitted on these is refused.

            Where no index is given, the targets of the pairs stand for it, up to 5,000 where
            another encoder has to read them. An empty list leaves them out, too.
        metric: how the store compares stored target vectors; by default inner product where they
            have unit length (all metrics then rank alike), cosine otherwise.
        ngrams: also read the texts themselves, by character n-grams. Whatever serves the aligner
            then needs texts beside vectors. By default where the pairs have texts and encoders
            embed them here, so that texts are at hand where the aligner serves.
        learned: also train a head by gradient descent (with torch), from the best closed form. By
            default in ``keep`` mode, where it was measured to find more, if torch is installed.
        seed: decides which pairs are held out.
        cache: a file that keeps encoded vectors between runs. Without one, what functions and
            services encoded is kept only where the fit fails, in a file that the error names.

    Returns:
        an aligner with its report and with the encoders at hand.

    Raises:
        FitError: too few pairs, or nothing left to fit on or to choose by.
        DataError: no Pairs, an unknown option, or vectors, texts and encoders that do not fit
            together.
        MissingExtraError: ``learned=True``, and torch is not installed.
        EncoderError, VectorError: an encoder cannot be loaded, or what it returns cannot be used.
        CacheError: the cache is damaged, or no cache.
    """
    fitted = fit_and_judge(
        pairs,
        source_encoder=source_encoder,
        target_encoder=target_encoder,
        mode=mode,
        validation=validation,
        test=test,
        learn_from=learn_from,
        metric=metric,
        ngrams=ngrams,
        learned=learned,
        seed=seed,
        cache=cache,
    )
    return fitted.aligner


class Fitted(NamedTuple):
    """An aligner, and the questions that judged it.

    Attributes:
        questions: pairs, part after part; None of a fit without pairs.
        ranks: (n,) of the best answer to each in the whole index, by what ships: of folds, by the
            map that was chosen and fitted without the fold.
    """

    aligner: Aligner
    questions: Pairs | None = None
    ranks: Ranks | None = None


def fit_and_judge(
    pairs: Pairs | Sequence[str] | None,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    mode: Mode = "keep",
    validation: Pairs | None = None,
    test: Pairs | None = None,
    learn_from: Any = None,
    metric: Metric | None = None,
    ngrams: bool | None = None,
    learned: bool | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Fitted:
    """Fit as :func:`fit` does, and return the questions that judged, too; they are not saved."""
    started = time.perf_counter()
    encoders = as_encoders(source_encoder, target_encoder)
    sources = as_sources(learn_from, encoders, (pairs, validation, test))
    if pairs is None or is_questions(pairs):
        if validation is not None or test is not None:
            raise DataError(
                "validation= and test= are for a fit on pairs. Without pairs fit first, then score "
                "the aligner by them: kakehashi.evaluation.evaluate(aligner, test)."
            )
        n_texts = len(pairs or ()) + sum(map(len, sources or ()))
        with cache_kept_if_it_fails(cache, encoders.values(), n_texts) as kept:
            settings = FitSettings(mode, metric, ngrams, learned, seed, kept)
            return Fitted(fit_unjudged(pairs, sources, encoders, settings))
    check_pairs(pairs)
    assert isinstance(pairs, Pairs)
    inputs = FitInputs(pairs, validation, test, sources)
    n_texts = 2 * sum(map(len, inputs.sets))
    with cache_kept_if_it_fails(cache, encoders.values(), n_texts) as kept:
        settings = FitSettings(mode, metric, ngrams, learned, seed, kept)
        prepared = prepare(inputs, encoders["source"], encoders["target"], settings)
        with BLAS:
            tuned = tune(prepared)
            judged = judge(prepared, tuned, tune_second(prepared, tuned))
            aligner = assemble(prepared, tuned, judged, started=started)
            return Fitted(aligner, prepared.plan.questions, judged.served)
