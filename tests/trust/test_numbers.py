"""Numbers that no model can learn with: a named error or a result that is finite, never less."""

import math
import time

import numpy as np
import pytest

import firth
from firth import CSR, EASE, Interactions, Learner, Word2Vec, kernels
from firth.models.ease import gram_matrix
from trust._models import MATERIAL, MODELS, WITH_LR, answer, fields, learnt, unsound

RATES = [1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3]
NO_RATES = [1e4, 1e30, 1e300, 10**400, math.nan, math.inf, -math.inf, -0.5, -1e-30, 0, "0.1", True]
HUGE = np.float32(3e38)


@pytest.mark.parametrize("name", WITH_LR)
def test_every_learning_rate_ends_in_finite_vectors_or_an_error_that_names_it(name):
    for lr in RATES:
        assert not answer(f"{name} lr={lr:g}", lambda lr=lr: learnt(name, lr=lr), ("lr",))
    for lr in NO_RATES:
        with pytest.raises((ValueError, TypeError), match="lr="):
            learnt(name, lr=lr)
    for lr in (np.array([0.1, 0.2]), [0.1]):
        with pytest.raises(TypeError, match="lr="):
            learnt(name, lr=lr)


@pytest.mark.parametrize("name", WITH_LR)
def test_a_run_that_blows_up_says_so_and_names_epoch_and_rate(name):
    with pytest.raises(FloatingPointError, match=r"epoch 1 of \d+.*smaller lr than 1000$"):
        learnt(name, lr=1e3)


@pytest.mark.parametrize("name", WITH_LR)
def test_steps_too_small_for_any_float32_are_seen_in_losses_that_stay(name):
    losses = learnt(name, lr=1e-12).metadata["losses"]
    np.testing.assert_allclose(losses, losses[0], rtol=0.05)
    usual = learnt(name, epochs=8, lr=0.1).metadata["losses"]
    assert not np.allclose(usual, losses[0], rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_settings_that_are_no_numbers_are_named(name):
    known = fields(name) & {"min_lr", "sample", "noise_exponent", "p", "q", "restart", "reg"}
    known |= fields(name) & {"x_max", "alpha", "shift", "smoothing", "power", "degree_exponent"}
    for field in sorted(known | (fields(name) & {"feature_share"})):
        for value in (math.nan, math.inf, -math.inf, 1e300, -1e300, 10**400, "1", None, 1j):
            with pytest.raises((ValueError, TypeError), match=f"{field}="):
                learnt(name, **{field: value})


@pytest.mark.parametrize("name", ["Node2Vec", "LINE"])
def test_only_models_that_choose_it_take_no_learning_rate(name):
    with pytest.raises(TypeError, match="lr=None is not a number"):
        learnt(name, lr=None)


@pytest.mark.parametrize(
    "weights", [(1e300,), (3e38, 3e38, -3e38), (-1e30, 1e30), (1e-300, 1e-300)]
)
def test_fastrp_knows_weights_by_their_ratios(weights):
    small = tuple(weight / max(map(abs, weights)) for weight in weights)
    huge, usual = (learnt("FastRP", weights=many).vectors for many in (weights, small))
    np.testing.assert_array_equal(huge, usual)
    assert np.abs(huge).max() > 0


@pytest.mark.parametrize("name", ["Word2Vec", "FastText", "GloVe", "Node2Vec", "LINE", "ItemToVec"])
def test_a_start_at_the_end_of_float32_gives_no_infinite_vectors(name):
    first = learnt(name)
    vectors = np.full(first.vectors.shape, HUGE)
    if name == "FastText":
        start = firth.SubwordEmbedding(
            first.keys, np.full((len(first.keys) + 500, 8), 1e36, np.float32), first.rule
        )
    else:
        start = firth.Embedding(first.keys, vectors)
    assert not answer(name, lambda: learnt(name, start=start), ())


@pytest.mark.parametrize("name", ["BPR", "WARP", "LightGCN"])
def test_a_start_with_huge_biases_gives_no_infinite_ones(name):
    first = learnt(name)
    some = None if first.biases is None else np.where(np.arange(30) % 2, HUGE, -HUGE)
    vectors = np.full_like(first.user_vectors, 1e18), np.full_like(first.item_vectors, 1e18)
    start = firth.Recommender(first.users, first.items, *vectors, first.seen, some)
    assert not answer(name, lambda: learnt(name, start=start), ())


def test_a_learner_stopped_with_infinite_vectors_keeps_what_it_was(monkeypatch):
    learner = Learner(Word2Vec(dim=8, min_count=1, threads=1)).partial_fit(MATERIAL["text"])
    before = learner.embedding.vectors.copy()

    def interrupted(input, *rest, **options):
        input[0, 0] = np.inf
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "negative_sampling", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        learner.partial_fit(MATERIAL["text"])
    np.testing.assert_array_equal(learner.embedding.vectors, before)
    np.testing.assert_array_equal(stop.value.embedding.vectors, before)


def test_ctrl_c_hands_on_only_what_is_finite(monkeypatch):
    real = kernels.negative_sampling

    def interrupted(input, output, *rest, **options):
        real(input, output, *rest, **options)
        input[0, 0] = np.nan
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "negative_sampling", interrupted)
    for name in ("Word2Vec", "FastText", "Node2Vec", "LINE"):
        with pytest.raises(KeyboardInterrupt) as stop:
            learnt(name)
        assert not hasattr(stop.value, "embedding"), name


def test_ctrl_c_hands_on_no_recommender_with_infinite_biases(monkeypatch):
    def interrupted(*rest, biases=None, **options):
        biases[3] = np.inf
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "ranking", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        learnt("BPR")
    assert not hasattr(stop.value, "recommender")


def test_biases_that_blow_up_are_seen(monkeypatch):
    real = kernels.ranking

    def blown(*tables, biases=None, **options):
        done = real(*tables, biases=biases, **options)
        biases[3] = np.inf
        return done

    monkeypatch.setattr(kernels, "ranking", blown)
    with pytest.raises(FloatingPointError, match="BPR: epoch 1 of 3"):
        learnt("BPR")


def test_ease_counts_more_users_than_float32_can():
    many = 2**24 + 3
    met = CSR(
        np.arange(many + 1, dtype=np.int64),
        np.zeros(many, np.int32),
        np.ones(many, np.float32),
        1,
    )
    assert gram_matrix(met).tolist() == [[float(many)]]


def test_ease_is_the_same_for_users_in_several_sums(monkeypatch):
    from firth.models import ease

    whole = gram_matrix(MATERIAL["meetings"].csr)
    monkeypatch.setattr(ease, "_BLOCK", 90)  # a few users
    monkeypatch.setattr(ease, "_STEP", 200)  # and of those a few items
    np.testing.assert_array_equal(gram_matrix(MATERIAL["meetings"].csr), whole)


def test_ratings_at_both_ends_of_float32_are_recommended_from():
    values = np.array([1.2e-38, 3e38, 1.0, 3e38], np.float32)
    x = Interactions(["a", "a", "b", "b"], ["x", "y", "x", "z"], values)
    for rec in (EASE(reg=1.0).fit(x), firth.BPR(dim=4, epochs=2, threads=1).fit(x)):
        assert not unsound(rec)
        _, scores = rec.recommend(["a", "b"], 1)
        assert np.isfinite(scores).all()


def test_all_threads_stop_where_one_has_met_a_number_that_is_not_finite():
    rows, tokens = 2000, 4_000_000
    ids = np.full(tokens, 7, np.uint32)
    ids[:64:2] = 3  # whom no later token meets, nor noise
    usual = (np.arange(rows) != 3).astype(np.float64)

    def spent(value):
        input, output = (np.full((rows, 16), 0.01, np.float32) for _ in range(2))
        input[3] = output[3] = value
        begun = time.process_time()
        kernels.negative_sampling(
            input,
            output,
            ids,
            np.arange(0, tokens + 1, 1000),
            keep=kernels.keep_chances(usual + 1, 0),
            noise=kernels.noise(usual),
            lr=(0.0, 0.0),
            threads=2,
        )
        return time.process_time() - begun

    whole, begun = spent(1.0), time.process_time()
    with pytest.raises(FloatingPointError, match="token 0 "):
        spent(1e38)
    assert time.process_time() - begun < whole / 4
