"""The second map of a fit in ``keep`` mode: of ``shared`` mode, it orders the first hits again."""

from __future__ import annotations

from dataclasses import dataclass

from ..progress import track
from .candidates import Candidate
from .closed_forms import Parameters, form_near
from .feature_data import FeatureData
from .model_selection import Tuned, choose_and_judge
from .prepare import Prepared
from .setting_search import CORRECTED, timed, tune_closed_form, tune_correction
from .sufficient_statistics import develop


@dataclass(frozen=True, eq=False)
class SecondMap:
    """The best setting of every kind of second map, and the choice among them.

    Attributes:
        chosen: by all parts that choose.
        judged: for each part that judges the candidate that was chosen without it.
    """

    candidates: list[Candidate]
    chosen: Candidate
    judged: list[Candidate]


def tune_second(prepared: Prepared, tuned: Tuned) -> SecondMap | None:
    """Tune maps of ``shared`` mode from the best CCA of ``keep`` mode on, and choose among them.

    They are chosen by where they rank the answers by themselves, as a map of an index that is
    moved. None where ``keep`` mode is not tuned, or a second map is not asked for.
    """
    plan, seed = prepared.plan, prepared.settings.seed
    start = next((c.parameters for c in tuned.candidates if c.name == "cca"), None)
    if not prepared.second_feature_sets or start is None:
        return None
    families = []
    for features in track(prepared.second_feature_sets, "second map: closed forms"):
        read = None if features.ngrams else tuned.over_vectors
        data = develop(plan, features, seed=seed) if read is None else read.in_mode(features.mode)
        families += _families(data, start, prepared)
    chosen, judged = choose_and_judge(families, None, plan)
    return SecondMap([of_one[0] for of_one in families], chosen, judged)


def _families(data: FeatureData, start: Parameters, prepared: Prepared) -> list[list[Candidate]]:
    """Return the settings of one feature set, plain and corrected, the best of each first."""
    form = form_near(data.features, start)
    plain = timed(tune_closed_form, form, data, prepared.metric)
    corrected = timed(tune_correction, form.name, data, plain[:CORRECTED], prepared.metric)
    data.forget()
    return [plain, corrected]
