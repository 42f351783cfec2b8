"""First step of a fit: encode all texts, find out about both spaces, split the pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..data.pairs import Pairs
from ..encoders import Encoder, EncoderIdentity
from ..errors import FitError
from ..types import Metric, Mode, Side
from ..vectors import drawn
from .features import FeatureSet, feature_sets
from .fit_inputs import FitInputs, FitSettings
from .inputs import (
    EncodersBySide,
    as_encoders,
    check_dimensions,
    check_made_by,
    common_dimensions,
    identities_of,
    may_read_texts,
    with_vectors,
)
from .sources import Source, check_sources, gather_sources, with_target_vectors
from .spaces import share_space, store_metric
from .split_plan import MIN_PAIRS, SplitPlan, plan_split, split_test
from .stored_targets import with_stored_targets
from .target_encoder import MAX_ASKED, TargetEncoderQueries, target_encoder_queries


@dataclass(frozen=True, eq=False)
class EncodedInputs:
    """The data of a fit, with vectors on both sides of every set.

    Attributes:
        dimensions: of the vectors of each side.
        reads_texts: for each mode that is tuned, whether its maps may read n-grams of the texts.
    """

    inputs: FitInputs
    settings: FitSettings
    encoders: dict[Side, Encoder | None]
    identities: dict[Side, EncoderIdentity | None]
    dimensions: dict[str, int]
    reads_texts: Mapping[Mode, bool]


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that maps are tuned and judged on.

    Attributes:
        same_space: whether raw vectors of the two sides can be compared.
        metric: the store's.
        plan: which rows are fitted, which choose and which judge.
        target_encoder: the queries that judge as the target encoder sees them.
        feature_sets: what the maps of the mode read.
        second_feature_sets: what the second maps of ``keep`` mode read; none without them.
    """

    encoded: EncodedInputs
    same_space: bool
    metric: Metric
    plan: SplitPlan
    target_encoder: TargetEncoderQueries
    feature_sets: tuple[FeatureSet, ...]
    second_feature_sets: tuple[FeatureSet, ...]

    @property
    def settings(self) -> FitSettings:
        """The options of the fit."""
        return self.encoded.settings

    @property
    def inputs(self) -> FitInputs:
        """The data of the fit, with vectors."""
        return self.encoded.inputs

    def with_pairs(self, pairs: Pairs) -> Prepared:
        """Return the same with other training pairs, judged by the same test set of the caller.

        The spaces, the metric and the sources stay as they were found.

        Args:
            pairs: with vectors on both sides.
        """
        encoded = replace(self.encoded, inputs=replace(self.inputs, pairs=pairs))
        plan = _plan(encoded, self.plan.sources)
        sets = _feature_sets(encoded, self.same_space)
        return replace(
            self, encoded=encoded, plan=plan, feature_sets=sets[0], second_feature_sets=sets[1]
        )


def prepare(
    inputs: FitInputs,
    source_encoder: Any,
    target_encoder: Any,
    settings: FitSettings,
    *,
    same_space: bool | None = None,
) -> Prepared:
    """Encode the inputs, and split them.

    Args:
        same_space: whether raw vectors of both sides can be compared; found out by default.

    Raises:
        KakehashiError: as :func:`kakehashi.fit` says.
    """
    encoded = encode_inputs(inputs, source_encoder, target_encoder, settings)
    return prepare_encoded(encoded, same_space=same_space)


def encode_inputs(
    inputs: FitInputs, source_encoder: Any, target_encoder: Any, settings: FitSettings
) -> EncodedInputs:
    """Check the inputs, then encode the texts that have no vectors."""
    settings = settings.checked()
    if len(inputs.pairs) < MIN_PAIRS:  # before anything is encoded
        raise FitError(f"{len(inputs.pairs)} pairs are too few; at least {MIN_PAIRS} are needed.")
    encoders = as_encoders(source_encoder, target_encoder)
    pairs, validation, test = (
        part and with_stored_targets(part, inputs.indices, encoders["target"])
        for part in (inputs.pairs, inputs.validation, inputs.test)
    )
    assert pairs is not None
    inputs = replace(inputs, pairs=pairs, validation=validation, test=test)
    reads_texts = _reads_texts(inputs, encoders, settings)
    check_sources(inputs.learn_from, encoders)
    identities = identities_of(encoders)  # one that cannot be loaded is found before minutes go by
    pairs, validation, test = (
        part and with_vectors(part, encoders, settings.cache)
        for part in (inputs.pairs, inputs.validation, inputs.test)
    )
    assert pairs is not None
    dimensions = common_dimensions(pairs, validation, test)
    check_dimensions(inputs.pairs, identities, dimensions)
    check_made_by(inputs.pairs, encoders)
    learn_from, indices = with_target_vectors(
        inputs.learn_from, encoders, dimensions["target"], settings.cache
    )
    encoded = FitInputs(pairs, validation, test, learn_from, (*inputs.documents, *indices))
    return EncodedInputs(encoded, settings, encoders, identities, dimensions, reads_texts)


def prepare_encoded(encoded: EncodedInputs, *, same_space: bool | None = None) -> Prepared:
    """Find out about the spaces, gather the sources, split the pairs, and ask the rival."""
    inputs, settings = encoded.inputs, encoded.settings
    encoders, identities = encoded.encoders, encoded.identities
    # What a test part holds tells nothing.
    rows = split_test(inputs.pairs, inputs.validation, inputs.test, settings.seed).kept
    if same_space is None:
        same_space = share_space(inputs.pairs, identities, settings.seed, rows)
    metric = settings.metric or store_metric(inputs.pairs, rows)
    sources = gather_sources(
        inputs.learn_from,
        inputs.pairs,
        encoders,
        same_space=same_space,
        reads_targets=settings.reads_targets,
        cache=settings.cache,
    )
    plan = _plan(encoded, sources)
    at_most = MAX_ASKED if plan.test is None else len(plan.questions)
    asked = drawn(len(plan.questions), at_most, settings.seed)
    queries = target_encoder_queries(plan.questions, asked, encoders, identities, settings.cache)
    sets = _feature_sets(encoded, same_space)
    return Prepared(encoded, same_space, metric, plan, queries, *sets)


def _plan(encoded: EncodedInputs, sources: tuple[Source, ...]) -> SplitPlan:
    inputs = encoded.inputs
    return plan_split(
        inputs.pairs,
        validation=inputs.validation,
        test=inputs.test,
        sources=sources,
        documents=inputs.documents,
        seed=encoded.settings.seed,
        asks_known=encoded.settings.asks_known,
    )


def _reads_texts(
    inputs: FitInputs, encoders: EncodersBySide, settings: FitSettings
) -> dict[Mode, bool]:
    """Say which maps may read the texts; a second map reads those of hits, which a search has."""
    reads = may_read_texts(settings.mode, settings.ngrams, encoders, inputs.sets)
    by_mode: dict[Mode, bool] = {settings.mode: reads}
    if settings.mode == "keep" and settings.second_map:
        by_mode["shared"] = reads and all(part.target_texts is not None for part in inputs.sets)
    return by_mode


def _feature_sets(
    encoded: EncodedInputs, same_space: bool
) -> tuple[tuple[FeatureSet, ...], tuple[FeatureSet, ...]]:
    """Return the feature sets of the mode, and those of the second map, if there is one."""
    mode, pairs = encoded.settings.mode, encoded.inputs.pairs
    sets = {
        of_mode: tuple(feature_sets(of_mode, pairs, same_space=same_space, ngrams=reads))
        for of_mode, reads in encoded.reads_texts.items()
    }
    return sets.pop(mode), next(iter(sets.values()), ())
