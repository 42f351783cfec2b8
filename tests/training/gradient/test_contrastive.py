"""The trained head: the loss, the mining, and what training leaves as it was."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from support.toy_data import two_views

from kakehashi import Pairs
from kakehashi.projection import Projection
from kakehashi.projection.cca import cca
from kakehashi.projection.head import AffineHead
from kakehashi.projection.linear import procrustes
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.training.candidates import Candidate, IdentityMap
from kakehashi.training.feature_data import TrainingRows
from kakehashi.training.features import FeatureSet
from kakehashi.training.gradient import contrastive
from kakehashi.training.gradient.contrastive import refine
from kakehashi.training.gradient.mind_the_gap import train
from kakehashi.training.setting_search import tune_head
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.vectors import unit_rows

MODES = pytest.mark.parametrize("mode", ["keep", "shared"])


def some_pairs(n=120, *, seed=0, noise=0.3, texts=True):
    """Make pairs of which some share their source and some their target."""
    x, y, groups = two_views(n, seed=seed, noise=noise)
    if not texts:
        return Pairs(source_vectors=x, target_vectors=y, groups=groups)
    asked = [f"question {i if i % 5 else i - i % 10}" for i in range(n)]
    stored = [f"answer {i if i % 7 else i - i % 14}" for i in range(n)]
    return Pairs(asked, stored, source_vectors=x, target_vectors=y, groups=groups)


def rows_of(pairs, seed=0):
    return TrainingRows([(pairs, np.arange(len(pairs)))], seed)


def closed(pairs, mode):
    spectrum = Spectrum(Moments.of(pairs.source_vectors, pairs.target_vectors))
    return cca(spectrum, mode, reg_source=1.0, reg_target=1.0, power=1.0)


def ready(pairs, mode, *, seed=0, spread=0.1):
    """Return a task and heads that are somewhere on their way, not at their start."""
    task = contrastive._Task.of(pairs, mode, "cpu")
    generator = torch.Generator().manual_seed(seed)
    heads = contrastive._Heads(closed(pairs, mode), task)
    with torch.no_grad():
        for parameter in heads.parameters[:-1]:
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return heads, task


def score(projection, pairs):
    """Mean reciprocal rank of each query's own target."""
    q = projection(pairs.source_vectors, modality="source", role="query")
    d = projection(pairs.target_vectors, modality="target", role="document")
    scores = unit_rows(q) @ unit_rows(d).T
    return float(np.mean(1 / (scores >= np.diag(scores)[:, None]).sum(axis=1)))


# -- what is trained is what serves -----------------------------------------------------------


@MODES
def test_what_serves_computes_what_was_trained(mode):
    pairs = some_pairs()
    heads, task = ready(pairs, mode)
    projection, every = heads.projection(), torch.arange(len(pairs))
    assert isinstance(projection.source, AffineHead)
    assert (projection.target is None) == (mode == "keep")
    for trained, side, x in (
        (heads.queries(every), "source", pairs.source_vectors),
        (heads.documents(every), "target", pairs.target_vectors),
    ):
        expected = unit_rows(trained.detach().numpy())
        roughly = projection(x, modality=side, role="document", roughly=True)
        np.testing.assert_allclose(unit_rows(roughly), expected, atol=1e-6)
        served = projection(x, modality=side, role="document")
        np.testing.assert_allclose(unit_rows(served), expected, atol=1e-6)
    assert len(task.x) == len(pairs)


@MODES
@pytest.mark.parametrize("length", [0.01, 1.0, 100.0])
def test_without_a_step_the_start_comes_back(mode, length):
    pairs = some_pairs()
    start = closed(pairs, mode)
    heads = (
        None if h is None else AffineHead.of(h.weight * length, h.bias * length)
        for h in (start.source, start.target)
    )
    start = Projection(*heads)
    [same] = refine(start, rows_of(pairs), mode, epochs=1, learning_rate=0.0)
    for side, x in (("source", pairs.source_vectors), ("target", pairs.target_vectors)):
        np.testing.assert_allclose(
            same(x, modality=side, role="document"),
            start(x, modality=side, role="document"),
            atol=2e-6,
        )


@MODES
@pytest.mark.parametrize("length", [0.01, 100.0])
def test_training_starts_at_unit_length_whatever_the_closed_form_gave(mode, length):
    pairs = some_pairs()
    head = closed(pairs, mode).source
    start = Projection(AffineHead.of(head.weight * length, head.bias * length))
    task = contrastive._Task.of(pairs, mode, "cpu")
    heads = contrastive._Heads(start, task)
    lengths = heads.queries(torch.arange(len(pairs))).detach().norm(dim=1).square().mean()
    assert float(lengths) == pytest.approx(1, rel=1e-4)


def test_the_identity_is_a_start_as_well():
    x, _, _ = two_views(60)
    pairs = Pairs(source_vectors=x, target_vectors=x[:, ::-1].copy())
    [same] = refine(Projection(), rows_of(pairs), "shared", epochs=1, learning_rate=0.0)
    np.testing.assert_allclose(same(x, modality="source", role="query"), x, atol=1e-6)
    trained = refine(Projection(), rows_of(pairs), "shared", epochs=4, learning_rate=0.01)[-1]
    assert score(trained, pairs) > score(Projection(), pairs) + 0.1


@MODES
def test_training_helps_on_rows_that_it_has_not_seen(mode):
    x, y, _ = two_views(500, noise=0.6)
    train, test = (
        Pairs(source_vectors=x[s], target_vectors=y[s]) for s in (np.s_[:300], np.s_[300:])
    )
    spectrum = Spectrum(Moments.of(train.source_vectors, train.target_vectors))
    start = procrustes(spectrum, mode)
    history = refine(start, rows_of(train), mode, epochs=8, learning_rate=0.01)
    assert len(history) == 8
    assert score(history[-1], test) > score(start, test) + 0.03
    assert len({p.source.weight.tobytes() for p in history}) == 8


# -- the loss ---------------------------------------------------------------------------------


def answers(pairs, i, c):
    """Whether the target of row c answers the query of row i: some row pairs the two."""
    asked, stored = pairs.source_texts, pairs.target_texts
    return (asked[i], stored[c]) in set(zip(asked, stored, strict=True))


def naive_loss(pairs, q, d, rows, candidates, scale):
    """The loss by its formula, a query and a document at a time."""
    terms = []

    def contrast(s, right):
        positive = sum(np.exp(s[c]) for c in range(len(s)) if right[c])
        terms.append(-np.log(positive / sum(np.exp(s))))

    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (q, d))
    s = scale * a @ b.T
    for i, row in enumerate(rows):
        contrast(s[i], [answers(pairs, row, c) for c in candidates])
    for j, own in enumerate(rows):  # from the targets of the batch to its queries
        contrast(s[:, j], [answers(pairs, row, own) for row in rows])
    return np.mean(terms)


@MODES
def test_the_loss_is_its_formula(mode):
    pairs = some_pairs(60)
    heads, task = ready(pairs, mode)
    rng = np.random.default_rng(3)
    rows = rng.permutation(60)[:24]
    candidates = np.concatenate([rows, rng.integers(60, size=30)])
    found = contrastive._loss(heads, task, torch.tensor(rows), torch.tensor(candidates))
    q = heads.queries(torch.tensor(rows)).detach().numpy().astype(float)
    d = heads.documents(torch.tensor(candidates)).detach().numpy().astype(float)
    scale = float(heads.log_scale.exp().detach())
    expected = naive_loss(pairs, q, d, rows, candidates, scale)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    several = [sum(answers(pairs, i, c) for c in set(candidates)) for i in rows]
    assert max(several) > 1  # the case that the formula is about


def test_what_answers_a_question_through_another_row_is_no_wrong_answer():
    """Rows (q0, a0), (q0, a1), (q2, a1): a1 answers q0 also where it stands in the third row."""
    x, y, _ = two_views(4)
    pairs = Pairs(
        ["q0", "q0", "q2", "q3"], ["a0", "a1", "a1", "a3"], source_vectors=x, target_vectors=y
    )
    task = contrastive._Task.of(pairs, "keep", "cpu")
    every = torch.arange(4)
    expected = [[answers(pairs, i, c) for c in range(4)] for i in range(4)]
    assert task.positives(every, every).tolist() == expected
    assert task.positives(every[:1], every[2:]).tolist() == [[True, False]]


# -- hard negatives ---------------------------------------------------------------------------


@MODES
def test_a_mined_row_is_the_nearest_that_is_wrong(mode):
    pairs = some_pairs(90)
    heads, task = ready(pairs, mode)
    mined = contrastive._mine(heads, task)
    assert mined.shape == (90, contrastive.N_HARD)
    projection, y = heads.projection(), pairs.target_vectors
    q = projection(pairs.source_vectors, modality="source", role="query", roughly=True)
    scores = q @ unit_rows(projection(y, modality="target", role="document", roughly=True)).T
    for i, [found] in enumerate(mined.tolist()):
        wrong = [
            c
            for c in range(90)
            if not answers(pairs, i, c) and y[i] @ y[c] <= contrastive.NEAR_DUPLICATE
        ]
        assert found in wrong
        assert scores[i, found] >= scores[i, wrong].max() - 1e-5


def test_near_duplicates_of_the_answer_are_passed_over():
    x, y, _ = two_views(40)
    y = np.concatenate([y[:20], unit_rows(y[:20] + 1e-3)])  # row 20 + i all but repeats row i
    pairs = Pairs(source_vectors=x, target_vectors=y)
    heads, task = ready(pairs, "keep")
    mined = contrastive._mine(heads, task)[:, 0].numpy()
    assert not np.any(mined == (np.arange(40) + 20) % 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrastive, "NEAR_DUPLICATE", 2.0)
        taken = contrastive._mine(heads, task)[:, 0].numpy()
    assert np.any(taken == (np.arange(40) + 20) % 40)


def test_mining_in_chunks_is_mining_at_once(monkeypatch):
    heads, task = ready(some_pairs(100), "shared")
    at_once = contrastive._mine(heads, task)
    for size in (1, 7, 64):
        parts = [slice(i, min(i + size, 100)) for i in range(0, 100, size)]
        monkeypatch.setattr(contrastive, "chunks", lambda n, size, parts=parts: parts)
        assert torch.equal(contrastive._mine(heads, task), at_once)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_mining_goes_on_where_hardly_a_row_is_wrong(n):
    x, y, _ = two_views(n)
    pairs = Pairs(["same"] * n, ["same too"] * n, source_vectors=x, target_vectors=y)
    [projection] = refine(closed(some_pairs(40), "keep"), rows_of(pairs), "keep", epochs=1)
    assert np.isfinite(projection.source.weight).all()


# -- seeds, and what is left as it was --------------------------------------------------------


@MODES
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(mode):
    pairs = some_pairs(texts=False)

    def trained(seed):
        found = refine(closed(pairs, mode), rows_of(pairs), mode, epochs=2, seed=seed)
        return [b"".join(t.tobytes() for _, t in sorted(p.state()[1].items())) for p in found]

    torch.manual_seed(1)
    first = trained(0)
    torch.manual_seed(2)  # nobody else's numbers are drawn
    assert trained(0) == first
    assert not set(trained(1)) & set(first)


def test_torchs_own_state_is_left_as_it_was(monkeypatch):
    pairs, used, mine = some_pairs(60), [], contrastive._mine
    monkeypatch.setattr(
        contrastive, "_mine", lambda *a: used.append(torch.get_num_threads()) or mine(*a)
    )
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    enabled = torch.is_grad_enabled()
    torch.set_num_threads(2)
    try:
        refine(closed(pairs, "keep"), rows_of(pairs), "keep", epochs=1)
        assert torch.get_num_threads() == 2
        assert used == [1]
        monkeypatch.setattr(contrastive, "_loss", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refine(closed(pairs, "keep"), rows_of(pairs), "keep", epochs=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled() == enabled


def surroundings():
    yield "no_grad", torch.no_grad()
    yield "inference_mode", torch.inference_mode()
    yield "autocast", torch.autocast("cpu")
    yield "device", torch.device("meta")
    yield "dtype", float64_by_default()


@contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("name", "surrounding"), surroundings())
@pytest.mark.slow
def test_training_is_the_same_whatever_torch_is_set_to(name, surrounding):
    pairs = some_pairs(60)
    options = {"epochs": 2}
    expected = refine(closed(pairs, "shared"), rows_of(pairs), "shared", **options)[-1]
    network = train(pairs.source_vectors, pairs.target_vectors)
    with surrounding:
        found = refine(closed(pairs, "shared"), rows_of(pairs), "shared", **options)[-1]
        again = train(pairs.source_vectors, pairs.target_vectors)
    for key, tensor in expected.state()[1].items():
        assert np.array_equal(found.state()[1][key], tensor), name
    for ours, theirs in zip(network.layers, again.layers, strict=True):
        assert all(map(np.array_equal, ours, theirs)), name


def test_the_start_is_not_changed():
    pairs = some_pairs(60)
    start = closed(pairs, "shared")
    before = {name: tensor.copy() for name, tensor in start.state()[1].items()}
    refine(start, rows_of(pairs), "shared", epochs=2, learning_rate=0.1)
    for name, tensor in start.state()[1].items():
        assert np.array_equal(tensor, before[name])


# -- rows -------------------------------------------------------------------------------------


def test_a_sample_of_many_rows_is_trained_on(monkeypatch):
    pairs = some_pairs(texts=False)
    monkeypatch.setattr(contrastive, "MAX_ROWS", 30)
    seen, of = [], contrastive._Task.of
    monkeypatch.setattr(
        contrastive._Task, "of", lambda p, *a, **k: seen.append(p) or of(p, *a, **k)
    )
    refine(closed(pairs, "keep"), rows_of(pairs), "keep", epochs=1)
    assert [len(p) for p in seen] == [30]


def test_a_sample_is_drawn_evenly_over_all_sets_by_its_seed():
    first, second = some_pairs(80), some_pairs(40, seed=1)
    rows = [(first, np.arange(10, 80)), (second, np.arange(0, 40, 2))]
    whole = TrainingRows(rows, 0).sample(1000)
    assert len(whole) == 90
    assert whole.source_texts == first.source_texts[10:] + second.source_texts[::2]
    assert np.array_equal(whole.target_vectors[70:], second.target_vectors[::2])
    assert whole.groups == first.groups[10:] + second.groups[::2]
    known = {row.tobytes() for row in whole.source_vectors}
    some = TrainingRows(rows, 0).sample(45)
    assert len(some) == 45
    assert {row.tobytes() for row in some.source_vectors} < known
    of_second = {row.tobytes() for row in second.source_vectors}
    assert 4 <= sum(row.tobytes() in of_second for row in some.source_vectors) <= 18
    for i, row in enumerate(some.source_vectors):  # a text stays with its vector
        where = int(np.flatnonzero((whole.source_vectors == row).all(axis=1))[0])
        assert some.source_texts[i] == whole.source_texts[where]
    same = TrainingRows(rows, 0).sample(45)
    assert np.array_equal(same.source_vectors, some.source_vectors)
    other = TrainingRows(rows, 1).sample(45)
    assert not np.array_equal(other.source_vectors, some.source_vectors)


def test_sets_without_texts_or_groups_are_joined_by_their_vectors():
    bare = Pairs(source_vectors=two_views(20)[0], target_vectors=two_views(20)[1])
    joined = TrainingRows([(some_pairs(20), np.arange(20)), (bare, np.arange(20))], 0).sample(99)
    assert joined.source_texts is None
    assert joined.groups is None
    assert len(np.unique(joined.keys("source"))) == 20  # equal vectors are one source
    task = contrastive._Task.of(joined, "keep", "cpu")
    assert bool(task.positives(torch.tensor([0]), torch.tensor([20])))


# -- what a batch holds, and how the rate moves ------------------------------------------------


@MODES
def test_a_batch_is_contrasted_with_hard_answers_and_in_keep_mode_with_random_ones(
    mode, monkeypatch
):
    pairs, seen, mined = some_pairs(120), [], []
    loss, mine = contrastive._loss, contrastive._mine

    def recorded(heads, task, rows, candidates):
        seen.append((rows, candidates))
        return loss(heads, task, rows, candidates)

    monkeypatch.setattr(contrastive, "_loss", recorded)
    monkeypatch.setattr(contrastive, "_mine", lambda *a: mined.append(mine(*a)) or mined[-1])
    monkeypatch.setattr(contrastive, "BATCH_SIZE", 50)
    refine(closed(pairs, mode), rows_of(pairs), mode, epochs=3)
    assert len(seen) == 9  # three batches in each of three epochs
    assert len(mined) == 2  # before the first and the third epoch
    for step, (rows, candidates) in enumerate(seen):
        hard = mined[step // 6][rows].flatten()
        n, random = len(rows), candidates[len(rows) + len(hard) :]
        assert torch.equal(candidates[:n], rows)
        assert torch.equal(candidates[n : n + len(hard)], hard)
        assert len(random) == (contrastive.N_RANDOM if mode == "keep" else 0)
    for epoch in range(3):
        rows = torch.cat([rows for rows, _ in seen[3 * epoch : 3 * epoch + 3]])
        assert torch.equal(rows.sort().values, torch.arange(120))
    assert not torch.equal(seen[0][0], seen[3][0])  # another order each time
    if mode == "keep":
        assert not torch.equal(seen[0][1][-768:], seen[1][1][-768:])


def test_the_rate_rises_over_the_first_steps_and_falls_to_zero():
    rate = contrastive._Schedule(1.0, 100)
    assert rate(0) == pytest.approx(0.2)  # five steps of warm-up
    assert rate(4) == pytest.approx(0.5 * (1 + np.cos(0.04 * np.pi)))
    assert rate(50) == pytest.approx(0.5)
    assert rate(100) == pytest.approx(0, abs=1e-12)
    falling = [rate(step) for step in range(4, 101)]
    assert falling == sorted(falling, reverse=True)


def test_the_temperature_is_learned(monkeypatch):
    pairs, scales = some_pairs(120), []
    loss = contrastive._loss
    monkeypatch.setattr(
        contrastive,
        "_loss",
        lambda heads, *a: scales.append(heads.log_scale.item()) or loss(heads, *a),
    )
    refine(closed(pairs, "keep"), rows_of(pairs), "keep", epochs=3)
    assert scales[0] == pytest.approx(np.log(1 / contrastive.TEMPERATURE))
    assert len(set(scales)) == len(scales)


@MODES
def test_stopping_early_gives_what_the_whole_run_had_there(mode):
    """What ships is trained for the epochs that validation chose, and must be what it saw."""
    pairs = some_pairs(100)
    whole = refine(closed(pairs, mode), rows_of(pairs), mode, epochs=4)
    for k in (1, 3):
        early = refine(closed(pairs, mode), rows_of(pairs), mode, epochs=4, stop_after=k)
        assert len(early) == k
        for key, tensor in whole[k - 1].state()[1].items():
            assert np.array_equal(early[-1].state()[1][key], tensor)


def test_validation_chooses_the_epoch(monkeypatch):
    x, y, groups = two_views(120, 6, 6, noise=0.1)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    data = develop(
        plan_split(pairs, validation=None, test=None, seed=0), FeatureSet("keep"), seed=0
    )
    good = procrustes(data.everything.spectrum(), "keep", target_mean=0.0)
    bad = Projection(source=AffineHead.of(-good.source.weight, good.source.bias))
    stops = []

    def stub(start, training, mode, *, seed, stop_after=None, label=""):
        stops.append(stop_after)
        return [bad, good, bad][:stop_after]

    monkeypatch.setattr(contrastive, "refine", stub)
    start = Candidate("procrustes", data, {"a": 1}, IdentityMap(), np.zeros(3))
    [head] = tune_head(start, "ip", 0)
    assert head.parameters == {"a": 1, "start": "procrustes", "epochs": 2}
    assert head.build(data.everything) is good
    assert stops == [None] * len(data.parts) + [2]
    assert head.build(data.parts[0].statistics) is good  # not trained again
    assert len(stops) == len(data.parts) + 1
