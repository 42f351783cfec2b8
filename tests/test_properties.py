"""Properties of the mathematics that hold for every input."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakehashi import Pairs, fit
from kakehashi.errors import FitError
from kakehashi.projection import Projection
from kakehashi.projection.cca import cca
from kakehashi.projection.head import AffineHead
from kakehashi.projection.hubness import HubnessCorrection
from kakehashi.projection.hubness_model import HubnessModel
from kakehashi.projection.linear import centring, procrustes, ridge
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.vectors import CHUNK_ROWS, chunks, unit_rows

repeatable = settings(derandomize=True, deadline=None, max_examples=40)
seeds = st.integers(0, 2**32)
MODES = pytest.mark.parametrize("mode", ["keep", "shared"])


def ridge_form(spectrum, mode):
    return ridge(spectrum, mode, reg=0.3, towards="zero")


def cca_form(spectrum, mode):
    return cca(spectrum, mode, reg_source=0.3, reg_target=1.0, power=1.5)


FORMS = pytest.mark.parametrize("form", [procrustes, ridge_form, cca_form])


def two_sides(rng, n, dx, dy):
    """Make n pairs that are related, with every direction of their own strength."""
    x = rng.standard_normal((n, dx)) * np.linspace(1, 2, dx) + 0.5
    y = x @ rng.standard_normal((dx, dy)) + 0.3 * rng.standard_normal((n, dy)) - 0.5
    return unit_rows(x.astype(np.float32)), unit_rows(y.astype(np.float32))


def rotation(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)


def served(form, mode, x, y):
    """Return queries and documents as they are asked and stored."""
    projection = form(Spectrum(Moments.of(x, y)), mode)
    queries = projection(x, modality="source", role="query")
    return queries, projection(y, modality="target", role="document")


@given(seed=seeds, dx=st.integers(2, 6), extra=st.integers(0, 3))
@repeatable
@MODES
@pytest.mark.parametrize("form", [procrustes, ridge_form])
def test_a_rotated_source_gives_the_same_and_a_rotated_target_the_rotated_vectors(
    form, mode, seed, dx, extra
):
    rng = np.random.default_rng(seed)
    x, y = two_sides(rng, 200, dx, dx + extra)
    q, r = rotation(rng, dx), rotation(rng, dx + extra)
    queries, documents = served(form, mode, x, y)
    turned = served(form, mode, x @ q, y)
    np.testing.assert_allclose(turned[0], queries, atol=2e-3)
    turned = served(form, mode, x, y @ r)
    np.testing.assert_allclose(turned[0], queries @ r, atol=2e-3)
    np.testing.assert_allclose(turned[1], documents @ r, atol=2e-3)


@given(seed=seeds, dx=st.integers(2, 6), dy=st.integers(2, 6))
@repeatable
@MODES
def test_cca_scores_alike_whichever_way_the_axes_point(mode, seed, dx, dy):
    rng = np.random.default_rng(seed)
    x, y = two_sides(rng, 200, dx, dy)
    queries, documents = served(cca_form, mode, x, y)
    turned = served(cca_form, mode, x @ rotation(rng, dx), y @ rotation(rng, dy))
    np.testing.assert_allclose(turned[0] @ turned[1].T, queries @ documents.T, atol=2e-3)


@given(seed=seeds, d=st.integers(2, 8))
@repeatable
def test_procrustes_finds_a_rotation_again(seed, d):
    rng = np.random.default_rng(seed)
    x, _ = two_sides(rng, 200, d, d)
    turn = rotation(rng, d)
    head = procrustes(Spectrum(Moments.of(x, x @ turn)), "keep").source
    np.testing.assert_allclose(head.weight, turn, atol=1e-3)


def random_projection(rng, d_in, d_out, *, hubness):
    weight, bias = rng.standard_normal((d_in, d_out)), rng.standard_normal(d_out)
    bank = unit_rows(rng.standard_normal((90, d_out)).astype(np.float32))
    model = HubnessModel.of(bank, bank[::-1])
    correction = HubnessCorrection({"source": model, "target": model}, 0.5) if hubness else None
    return Projection(source=AffineHead.of(weight, bias), hubness=correction)


@pytest.mark.parametrize(
    ("shape", "hubness"),
    [
        ((24, 10), False),
        ((24, 10), True),
        ((384, 384), False),
        ((384, 384), True),
        ((384, 386), False),
        ((512, 384), False),
        ((512, 512), True),
    ],
)
def test_a_row_has_the_same_bits_alone_and_in_a_batch_of_any_size(shape, hubness):
    rng = np.random.default_rng(0)
    projection = random_projection(rng, *shape, hubness=hubness)
    x = rng.standard_normal((130, shape[0])).astype(np.float32)

    def project(rows):
        return projection(rows.copy(), modality="source", role="document")

    alone = np.concatenate([project(x[i : i + 1]) for i in range(len(x))])
    for size in (2, 3, 4, 7, 16, 33, 130):
        assert np.array_equal(project(x[:size]), alone[:size])


@given(seed=seeds, d_in=st.integers(1, 60), d_out=st.integers(1, 60), n=st.integers(1, 40))
@repeatable
@pytest.mark.parametrize("hubness", [False, True])
def test_projecting_is_row_wise(hubness, seed, d_in, d_out, n):
    """What a row becomes does not depend on the rows beside it, nor on its length."""
    rng = np.random.default_rng(seed)
    projection = random_projection(rng, d_in, d_out, hubness=hubness)
    x = rng.standard_normal((n, d_in)).astype(np.float32)
    whole = projection(x, modality="source", role="document")
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    order = rng.permutation(n)[: rng.integers(1, n + 1)]
    some = projection(x[order], modality="source", role="document")
    assert np.array_equal(some, whole[order])
    scaled = x * np.exp2(rng.integers(-15, 15, size=(n, 1))).astype(np.float32)
    assert np.array_equal(projection(scaled, modality="source", role="document"), whole)


@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("modality", ["source", "target"])
def test_the_dtype_and_the_layout_of_the_input_do_not_matter(modality, role, aligner, vector_pairs):
    x = vector_pairs.vectors(modality)

    def project(vectors):
        return aligner.project(vectors, modality=modality, role=role)

    expected = project(x)
    assert expected.dtype == np.float32
    half = x.astype(np.float16)
    for same in (x.astype(np.float64), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        assert np.array_equal(project(same), expected)
    assert np.array_equal(project(half), project(half.astype(np.float32)))
    np.testing.assert_allclose(project(half), expected, atol=1e-2)
    np.testing.assert_allclose(project(x[0]), expected[0], atol=1e-6)
    np.testing.assert_allclose(project(x[:2].tolist()), expected[:2], atol=1e-6)


@MODES
@FORMS
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-2), (np.float64, 0)])
def test_training_vectors_of_another_dtype_give_the_same_map(dtype, tolerance, form, mode):
    x, y = two_sides(np.random.default_rng(0), 300, 6, 5)
    expected = form(Spectrum(Moments.of(x, y)), mode)
    found = form(Spectrum(Moments.of(x.astype(dtype), y.astype(dtype))), mode)
    for projection in (expected, found):
        assert projection.source.weight.dtype == np.float32
    queries = [p(x, modality="source", role="query") for p in (expected, found)]
    np.testing.assert_allclose(queries[1], queries[0], atol=tolerance)


def assert_moments(found, x, y):
    """Hold moments against sums taken at once in float64."""
    x, y = (unit_rows(v).astype(np.float64) for v in (x, y))
    assert found.n == len(x)
    expected = {
        "sum_x": x.sum(axis=0),
        "sum_y": y.sum(axis=0),
        "xx": x.T @ x,
        "yy": y.T @ y,
        "xy": x.T @ y,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-5, atol=1e-6 * (1 + len(x)))


@given(seed=seeds, n=st.integers(2, 60), size=st.integers(1, 20), part=st.floats(0, 1))
@repeatable
def test_moments_in_chunks_and_in_parts_are_those_at_once(seed, n, size, part):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 4)), rng.standard_normal((n, 3))
    x, y = x.astype(np.float32), y.astype(np.float32)
    rows = rng.permutation(n)
    some, others = np.split(rows, [int(part * n)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kakehashi.projection.moments.chunks", lambda n: chunks(n, size))
        whole = Moments.of(x, y)
        parts = [Moments.of(x, y, some), Moments.of(x, y, others)]
    assert_moments(whole, x, y)
    assert_moments(parts[0] + parts[1], x, y)
    assert_moments(parts[0], x[some], y[some])
    assert_moments(whole - parts[0], x[others], y[others])


def test_moments_of_more_than_one_chunk_are_those_at_once():
    x, y = np.random.default_rng(0).standard_normal((2, 2 * CHUNK_ROWS + 5, 3)).astype(np.float32)
    assert_moments(Moments.of(x, y), x, y)


@given(seed=seeds, n=st.integers(1, 8), dx=st.integers(1, 12), dy=st.integers(1, 12))
@repeatable
@MODES
@FORMS
@pytest.mark.parametrize("shape", ["free", "constant column", "rank one", "equal rows"])
def test_no_closed_form_gives_nan_however_little_the_rows_tell(shape, form, mode, seed, n, dx, dy):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    if shape == "constant column":
        x[:, 0], y[:, -1] = 2, 3
    elif shape == "rank one":
        x, y = x[:, :1] * x[:1], y[:, :1] * y[:1]
    elif shape == "equal rows":
        x[:], y[:] = x[0], y[0]
    x, y = x.astype(np.float32), y.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for vectors in served(form, mode, x, y):
            assert np.isfinite(vectors).all()


@given(seed=seeds, n=st.integers(1, 8), d=st.integers(1, 12))
@repeatable
@MODES
def test_the_forms_of_one_space_give_no_nan_either(mode, seed, n, d):
    x, y = np.random.default_rng(seed).standard_normal((2, n, d)).astype(np.float32)

    def shrunk(spectrum, mode):
        return ridge(spectrum, mode, reg=0.01, towards="identity")

    def with_prior(spectrum, mode):
        return cca(spectrum, mode, reg_source=0.1, reg_target=0.1, power=1.75, prior=1.0)

    for form in (centring, shrunk, with_prior):
        for vectors in served(form, mode, x, y):
            assert np.isfinite(vectors).all()


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def with_constant(x, column, value):
    x[:, column] = value
    return x


POOR = {
    "fewer rows than dimensions": (draw(12, 40), draw(12, 30)),
    "as few rows as are allowed": (draw(10, 6), draw(10, 4)),
    "constant columns": (with_constant(draw(30, 5), 2, 3), with_constant(draw(30, 4), 0, 0)),
    "rank one and far from the origin": (
        draw(30, 1) * draw(1, 6) + 1,
        draw(30, 1) * draw(1, 5) + 1,
    ),
    "two dimensions": (draw(30, 2), draw(30, 2)),
    "targets that stand three times": (draw(30, 6), np.repeat(draw(10, 4), 3, axis=0)),
    "both sides equal": (draw(30, 6), draw(30, 6)),
    "very short and very long": (draw(30, 4) * 1e-15, draw(30, 5) * 1e15),
}


ONE_DIRECTION = {
    "rank one": (draw(30, 1) * draw(1, 6), draw(30, 1) * draw(1, 5)),
    "one dimension": (draw(30, 1), np.abs(draw(31, 1))[:30]),
}


@pytest.mark.parametrize("name", ONE_DIRECTION)
def test_vectors_of_one_direction_are_one_text_and_nothing_is_fitted(name):
    x, y = ONE_DIRECTION[name]
    with pytest.raises(FitError, match="most texts the same to the encoder"):
        fit(Pairs(source_vectors=x, target_vectors=y))


@MODES
@pytest.mark.parametrize(
    "name",
    [
        *POOR,
        pytest.param("targets that stand six times"),
    ],
)
def test_poor_data_give_finite_projections(name, mode):
    six = (np.random.default_rng(0).standard_normal((30, 6)), np.repeat(draw(5, 4), 6, axis=0))
    x, y = POOR.get(name, six)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        aligner = fit(Pairs(source_vectors=x, target_vectors=y), mode=mode)
        for side, vectors in (("source", x), ("target", y)):
            for role in ("query", "document"):
                assert np.isfinite(aligner.project(vectors, modality=side, role=role)).all()
    assert all(np.isfinite(rung.validation) for rung in aligner.report.candidates.values())
