"""BPR from interactions to recommendations: what it learns, its schedule, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from firth import BPR, EASE, Interactions, Recommender, kernels
from firth._random import initial_rows
from meetings import own_share, two_groups


def test_each_group_is_recommended_its_own_items():
    rec = BPR(dim=8, epochs=50, threads=1).fit(two_groups())
    assert own_share(rec) > 0.95
    losses = rec.metadata["losses"]
    assert len(losses) == 50
    assert losses[-1] < 0.5 * losses[0]


def test_it_is_the_kernel_epoch_by_epoch_at_a_falling_rate():
    x = two_groups()
    rec = BPR(dim=4, epochs=4, lr=0.1, min_lr=0.02, reg=0.02, seed=5, threads=1).fit(x)
    rows = initial_rows(5, 0, 70, 4)
    users, items, biases = rows[:40].copy(), rows[40:].copy(), np.zeros(30, np.float32)
    for epoch, lr in enumerate([0.1, 0.08, 0.06, 0.04]):
        options = {"lr": lr, "reg": 0.02, "seed": 5, "epoch": epoch, "threads": 1}
        kernels.ranking(users, items, x.csr, biases=biases, **options)
    np.testing.assert_allclose(rec.user_vectors, users, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rec.item_vectors, items, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rec.biases, biases, rtol=1e-5, atol=1e-6)


def test_one_thread_always_learns_the_same():
    first, second = (BPR(dim=4, epochs=3, threads=1).fit(two_groups()) for _ in range(2))
    assert (first.user_vectors == second.user_vectors).all()
    assert (first.biases == second.biases).all()


def test_popular_negatives_are_pushed_down_more():
    rng = np.random.default_rng(1)
    items = np.minimum(rng.geometric(0.2, 600), 20)
    x = Interactions(rng.integers(0, 60, 600), items)
    top = x.item_counts.argmax()
    biases = {
        kind: BPR(dim=4, epochs=20, negatives=kind, threads=1).fit(x).biases
        for kind in ("uniform", "popular")
    }
    rest = {kind: float(column[top] - column.mean()) for kind, column in biases.items()}
    assert rest["popular"] < rest["uniform"]


def test_users_without_items_have_zeros_and_get_the_best_biases():
    train, _ = Interactions(["a", "a", "b", "c"], ["x", "y", "x", "z"], times=[1, 2, 3, 9]).split(
        before=9
    )
    rec = BPR(dim=4, epochs=5, threads=1).fit(train)
    assert not rec.user_vectors[2].any()
    ids, scores = rec.recommend("c", 2)
    assert ids.tolist() == np.argsort(-rec.biases, kind="stable")[:2].tolist()
    assert scores.tolist() == rec.biases[ids].tolist()


def test_it_goes_on_from_earlier_vectors():
    first = BPR(dim=8, epochs=40, threads=1).fit(two_groups())
    second = BPR(dim=8, epochs=1, lr=1e-9, threads=1).fit(two_groups(users=44), start=first)
    np.testing.assert_allclose(second.user_vectors[:40], first.user_vectors, atol=1e-5)
    np.testing.assert_allclose(second.biases, first.biases, atol=1e-5)
    assert np.abs(second.user_vectors[40:]).max() < 0.5 / 8 + 1e-6


def test_the_callback_hears_of_each_epoch_and_can_stop():
    heard = []

    def callback(*said):
        heard.append(said)
        return said[0] == 2

    rec = BPR(dim=4, epochs=4, lr=0.1, threads=1).fit(two_groups(), callback=callback)
    assert [said[:2] for said in heard] == [(1, 320), (2, 640)]
    assert [said[3] for said in heard] == [pytest.approx(0.075), pytest.approx(0.05)]
    assert rec.metadata["losses"] == [said[2] for said in heard]


def test_ctrl_c_keeps_what_was_learnt():
    def callback(epoch, *rest):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        BPR(dim=4, epochs=50, threads=1).fit(two_groups(), callback=callback)
    rec = stop.value.recommender
    assert isinstance(rec, Recommender)
    assert len(rec.metadata["losses"]) == 3


def test_paths_and_matrices_are_sources_too(tmp_path):
    (tmp_path / "x.tsv").write_text("1\t2\n2\t2\n2\t3\n")
    model = BPR(dim=4, epochs=1, threads=1)
    assert model.fit(tmp_path / "x.tsv").items == ["2", "3"]
    assert model.fit(two_groups().csr.to_scipy()).users[:2] == ["0", "1"]


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("dim", 0, ValueError, "BPR: dim=0 is not between 1"),
        ("epochs", 0, ValueError, "BPR: epochs=0"),
        ("lr", 0, ValueError, "BPR: lr=0"),
        ("lr", float("nan"), ValueError, "BPR: lr=nan"),
        ("reg", -1, ValueError, "BPR: reg=-1"),
        ("negatives", "some", ValueError, "BPR: negatives='some' is not 'uniform' or 'popular'"),
        ("biases", 2, ValueError, "BPR: biases=2"),
        ("seed", "1", TypeError, "BPR: seed='1' is not a whole number"),
        ("threads", 0, ValueError, "BPR: threads=0"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(field, value, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(BPR(), **{field: value})


def test_other_sources_starts_and_callbacks_are_refused():
    model, x = BPR(dim=4, epochs=1), two_groups()
    with pytest.raises(TypeError, match="BPR: source is list, expected Interactions"):
        model.fit([["a", "b"]])
    with pytest.raises(TypeError, match="BPR: start is str"):
        model.fit(x, start="rec")
    with pytest.raises(ValueError, match="BPR: start has dim 5, expected dim 4"):
        model.fit(x, start=BPR(dim=5, epochs=1).fit(x))
    with pytest.raises(ValueError, match="BPR: start has no vectors of users"):
        model.fit(x, start=EASE().fit(x))
    with pytest.raises(TypeError, match="BPR: callback=5 cannot be called"):
        model.fit(x, callback=5)


def test_where_all_have_met_all_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="BPR: no sample had an item that its user has not met"):
        BPR(dim=4, epochs=1).fit(Interactions(["a", "a"], ["x", "y"]))


def test_a_rate_that_is_too_large_is_named_with_its_epoch():
    with pytest.raises(FloatingPointError, match="BPR: epoch 1 of 9: the vectors are not finite"):
        BPR(dim=4, epochs=9, lr=1000, reg=1000, threads=1).fit(two_groups())


def test_it_beats_popularity_by_far_on_real_ratings(data):
    x = Interactions.read(data / "rec/ml-100k/u.data.gz")
    train, test = x.split(share=0.2)
    rec = BPR(dim=32, epochs=40).fit(train)
    ids, _ = rec.recommend(range(len(rec.users)), 10)
    popular = np.argsort(-train.item_counts, kind="stable")
    hits = by_popularity = 0
    for user, found in enumerate(ids):
        relevant, old = (
            part.csr.indices[part.csr.indptr[user] : part.csr.indptr[user + 1]]
            for part in (test, train)
        )
        hits += np.isin(found, relevant).sum()
        by_popularity += np.isin(popular[~np.isin(popular, old)][:10], relevant).sum()
    assert hits > 1.5 * by_popularity
