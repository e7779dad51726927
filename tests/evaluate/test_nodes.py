"""Node classification: F1 against scikit-learn's, the protocol, files, fixed splits, bad input."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from firth import Embedding, FormatError
from firth.evaluate import node_classification
from firth.evaluate.nodes import best, f1, read_labels

decisions = st.tuples(st.integers(1, 12), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape))
)


@given(decisions)
def test_f1_is_scikit_learns(pair):
    truth, predicted = pair
    wanted = [
        metrics.f1_score(truth, predicted, average=average, zero_division=0)
        if truth.shape[1] > 1
        else metrics.f1_score(truth[:, 0], predicted[:, 0], zero_division=0)
        for average in ("micro", "macro")
    ]
    assert f1(truth, predicted) == pytest.approx(wanted)


@given(arrays.arrays(np.float64, (5, 4), elements=st.integers(-2, 2)), st.data())
def test_the_best_are_as_many_as_asked_for_equal_ones_in_order(chances, data):
    many = np.array(data.draw(st.lists(st.integers(0, 4), min_size=5, max_size=5)))
    for row, number, chosen in zip(chances, many, best(chances, many), strict=True):
        order = sorted(range(4), key=lambda column: (-row[column], column))
        assert np.flatnonzero(chosen).tolist() == sorted(order[:number])


@pytest.fixture(scope="module")
def groups():
    """90 nodes around three centres; every tenth has the label of the next group, too."""
    rng = np.random.default_rng(0)
    centre = np.repeat([0, 1, 2], 30)
    vectors = np.eye(3, 5)[centre] * 3 + rng.standard_normal((90, 5))
    labels = {
        str(node): [f"g{at}", f"g{(at + 1) % 3}"] if node % 10 == 0 else f"g{at}"
        for node, at in enumerate(centre.tolist())
    }
    return Embedding([str(node) for node in range(90)], vectors), labels


def test_groups_that_lie_apart_are_told_apart(groups):
    found = node_classification(*groups, repeats=4)
    assert found.micro_f1 > 0.85
    assert found.macro_f1 > 0.85
    assert 0 < found.micro_sd < 0.1
    assert found[4:] == (4, 3, 90, 0)
    shuffled = dict(zip(groups[1], np.random.default_rng(1).permutation(90) % 3, strict=True))
    assert node_classification(groups[0], shuffled, repeats=4).micro_f1 < 0.6


def test_a_fixed_split_is_scikit_learns_one_against_the_rest(groups):
    embedding, labels = groups
    single = {node: found if isinstance(found, str) else found[0] for node, found in labels.items()}
    train, test = [str(n) for n in range(0, 90, 2)], [str(n) for n in range(1, 90, 2)]
    found = node_classification(embedding, single, train=train, test=test)
    x, y = embedding[train], np.array([single[node] for node in train])
    odds = [
        LogisticRegression(solver="newton-cholesky")
        .fit(x, y == kind)
        .decision_function(embedding[test])
        for kind in ("g0", "g1", "g2")
    ]
    truth, guess = [single[node] for node in test], [f"g{c}" for c in np.argmax(odds, axis=0)]
    assert found.micro_f1 == pytest.approx(metrics.f1_score(truth, guess, average="micro"))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    assert (found.repeats, found.micro_sd, found.macro_sd) == (1, 0, 0)


def test_the_same_seed_gives_the_same_result_in_any_order_of_labels(groups):
    embedding, labels = groups
    backwards = dict(reversed(labels.items()))
    found = node_classification(embedding, labels, repeats=2, seed=5)
    assert node_classification(embedding, backwards, repeats=2, seed=5) == found
    assert node_classification(embedding, labels, repeats=2, seed=6) != found


@pytest.mark.parametrize("scale", ["standard", "unit"])
def test_scaled_vectors_may_be_of_any_length(groups, scale):
    embedding, labels = groups
    longer = Embedding(embedding.keys, embedding.vectors * 1024)
    options = {"repeats": 2, "scale": scale}
    found = node_classification(embedding, labels, **options)
    assert node_classification(longer, labels, **options) == found
    assert found.micro_f1 > 0.8


@pytest.mark.parametrize("factor", [1e-20, 1e-3, 1e3, 1e15])
def test_very_short_and_very_long_vectors_are_learnt_from(groups, factor):
    embedding, labels = groups
    other = Embedding(embedding.keys, embedding.vectors * np.float32(factor))
    found = node_classification(other, labels, repeats=1)
    assert 0.3 < found.micro_f1 <= 1


def test_vectors_longer_than_the_graph_has_nodes_are_learnt_from(groups):
    embedding, labels = groups
    wide = np.tile(embedding.vectors, 300)
    assert node_classification(Embedding(embedding.keys, wide), labels, repeats=1).micro_f1 > 0.8


def test_a_class_that_no_training_node_has_comes_last():
    embedding = Embedding(list("abcd"), [[1, 0], [0, 1], [1, 0], [0, 1]])
    labels = {"a": "x", "b": "y", "c": "x", "d": "z"}
    found = node_classification(embedding, labels, train=["a", "b"], test=["c", "d"])
    assert found.micro_f1 == 0.5  # d is taken for y
    assert found.macro_f1 == pytest.approx(1 / 3)


def test_a_file_is_what_a_dict_is(groups, tmp_path):
    embedding, labels = groups
    path = tmp_path / "labels.tsv"
    lines = ["# node and label"]
    for node, found in labels.items():
        lines += [f"{node}\t{label}" for label in ([found] if isinstance(found, str) else found)]
    path.write_text("\n".join(lines) + "\n\n")
    options = {"repeats": 2}
    assert node_classification(embedding, path, **options) == node_classification(
        embedding, labels, **options
    )


def test_files_may_have_spaces_in_names_or_for_a_separator(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("New York\tcity\nNew York\tport\n7 river\n")
    assert read_labels(path) == {"New York": ["city", "port"], "7": ["river"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\nb\n", "line 2: expected a node and a label, found 'b'"),
        ("a\tx\ty\n", "line 1: expected a node and a label"),
        ("# nothing\n", "line 1: expected a node and a label, found the end of the file"),
        ("", "line 1: expected a node and a label, found the end of the file"),
    ],
)
def test_broken_files_are_named_by_line(groups, tmp_path, text, message):
    path = tmp_path / "labels.tsv"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        node_classification(groups[0], path)


def test_numbers_are_the_names_of_nodes(groups):
    embedding, labels = groups
    numbered = {int(node): found for node, found in labels.items()}
    some = {"train": np.arange(0, 90, 2), "test": range(1, 90, 2)}
    wanted = node_classification(
        embedding, labels, train=map(str, range(0, 90, 2)), test=map(str, range(1, 90, 2))
    )
    assert node_classification(embedding, numbered, **some) == wanted


def test_nodes_without_a_vector_are_refused_left_out_or_zero(groups):
    embedding, labels = groups
    more = {**labels, "x": "g0", "y": ["g1"]}
    with pytest.raises(KeyError, match=r"node 'x' has a label and no vector \(2 of 92"):
        node_classification(embedding, more)
    skipped = node_classification(embedding, more, oov="skip", repeats=2)
    assert skipped._replace(unknown=0) == node_classification(embedding, labels, repeats=2)
    assert skipped.unknown == 2
    zero = node_classification(embedding, more, oov="zero", repeats=2)
    assert (zero.nodes, zero.unknown) == (92, 2)
    sides = {"train": ["0", "40", "70", "x"], "test": ["1", "y"]}
    assert node_classification(embedding, more, oov="skip", **sides).nodes == 90


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ({}, {}, ValueError, "0 nodes with a vector have no label, expected several"),
        ({"0": []}, {}, ValueError, "have no label"),
        ({"0": "a", "1": "a"}, {}, ValueError, "2 nodes with a vector have the single label 'a'"),
        (["0"], {}, TypeError, "labels must be a dict or a path, got list"),
        (None, {"train_share": 0.999}, ValueError, "train_share=0.999 of 90 nodes leaves nobody"),
        (None, {"train_share": 0}, ValueError, "leaves nobody to train on"),
        (None, {"train_share": 1.5}, ValueError, "train_share=1.5 is not between 0 and 1"),
        (None, {"repeats": 0}, ValueError, "repeats=0 is not between 1 and 10000"),
        (None, {"scale": "big"}, ValueError, "scale='big' is neither 'none', 'standard' nor"),
        (None, {"strength": 0}, ValueError, "strength=0 is not between"),
        (None, {"train": ["0"]}, ValueError, "train and test must be given both or not at all"),
        (None, {"train": ["0"], "test": ["z"]}, KeyError, "node 'z' of test has no label"),
        (None, {"train": [], "test": ["1"]}, ValueError, "train has no node with a label"),
        (None, {"train": ["0", "1"], "test": ["1"]}, ValueError, "node '1' is in train and in"),
        (None, {"train": "01", "test": ["2"]}, TypeError, "train must be several nodes"),
    ],
)
def test_bad_input_is_named(groups, labels, options, error, message):
    with pytest.raises(error, match=f"node_classification: .*{message}"):
        node_classification(groups[0], groups[1] if labels is None else labels, **options)


def test_without_scikit_learn_the_extra_is_named(groups, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ImportError, match=r"node_classification needs .*firth\[sklearn\]"):
        node_classification(*groups)
