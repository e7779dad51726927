"""What the table of readers reads with: each function uses what it has read, looks at it, and
returns all of it, so that two results can be compared.
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import firth
from firth import FormatError, kernels
from firth.evaluate.analogy import read_analogies as questions_in
from firth.evaluate.nodes import read_labels as labels_in
from firth.evaluate.similarity import read_pairs as pairs_in
from firth.formats.tensors import read_tensors as tensors_in
from firth.vocabulary import Vocabulary
from trust import _samples as samples

Found = list[Any]  # arrays, texts and numbers: all of a result, to be compared
EVERY = 1  # campaigns that are in a hurry use only every so many results
_turns = itertools.count()
_LARGE = 1e15  # sums and products of larger numbers may overflow float32, and be infinite


class WrongError(AssertionError):
    """A reader has returned what is not whole."""


def due() -> bool:
    """Say whether it is time to use what was read, besides looking at it."""
    return next(_turns) % EVERY == 0


def expect(sound: object, what: str) -> None:
    """Raise WrongError unless something is so."""
    if not sound:
        raise WrongError(what)


def same(one: Found, other: Found) -> bool:
    """Say whether two results are the same, bit by bit."""
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(a: Any, b: Any) -> bool:
    if hasattr(a, "tobytes"):
        return hasattr(b, "tobytes") and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


# ---- vectors of words ---------------------------------------------------------------------------


def _numbers(array: Any, shape: tuple[int, ...], what: str) -> bool:
    """Check that an array is finite float32 of a shape; say whether its numbers are usual ones."""
    expect(array.shape == shape and array.dtype == np.float32, f"{what}: {array.shape}")
    expect(np.isfinite(array).all(), f"{what}: not finite")
    return bool((np.abs(array) < _LARGE).all())


def whole_embedding(emb: firth.Embedding) -> Found:
    """Check and use an embedding of any kind; return all of it."""
    keys, dim = emb.keys, emb.dim
    usual = _numbers(emb.vectors, (len(keys), dim), "vectors")
    expect(dim > 0 and len(set(keys)) == len(keys), "twins")
    expect(all(isinstance(key, str) for key in keys), "keys that are no text")
    if emb.counts is not None:
        expect(emb.counts.shape == (len(keys),) and (emb.counts >= 0).all(), "counts")
    if len(keys) > 1 and due():
        near = emb.most_similar(keys[-1], k=min(3, len(keys) - 1))
        expect(all(abs(score) < 1.001 for _, score in near), f"cosines {near!r:.80}")
        expect(emb[keys[0]].tobytes() == emb.vectors[0].tobytes(), "another vector")
    found = [keys, emb.vectors, emb.counts, emb.metadata]
    if isinstance(emb, firth.SubwordEmbedding):
        found += _whole_table(emb, usual)
    if isinstance(emb, firth.Classifier):
        found += _whole_classifier(emb)
    return found


def _whole_table(emb: firth.SubwordEmbedding, usual: bool) -> Found:
    usual &= _numbers(emb.input, emb.input.shape, "input")
    for word in ("", "cats", "</s>", "käse") if due() else ():
        if emb.has_vector(word):
            vector = emb[word]
            expect(vector.shape == (emb.dim,), f"a vector {vector.shape}")
            expect(not usual or np.isfinite(vector).all(), "a vector that is not finite")
            emb.subwords(word)
    if emb.output is not None and not isinstance(emb, firth.Classifier):
        _numbers(emb.output, emb.vectors.shape, "output")
    return [emb.input, emb.output, emb.kept, emb.rule]


def _whole_classifier(model: firth.Classifier) -> Found:
    labels = model.labels
    usual = _numbers(model.output, (len(labels), model.dim), "output")
    expect(len(set(labels)) == len(labels) > 0, "labels")
    usual &= bool((np.abs(model.input) < _LARGE).all())
    if due():
        try:
            names, chances = model.predict(["the cat", "", "dog unseen"], k=2)
        except FloatingPointError as error:
            expect(not usual and "too large" in str(error), str(error))
            names = chances = []
        for some, chance in zip(names, chances, strict=True):
            expect(len(some) == len(chance) <= 2 and set(some) <= set(labels), "labels of a text")
            expect(((chance >= 0) & (chance <= 1.001)).all(), f"chances {chance}")
    return [labels, model.label_counts, model.label_prefix, model.loss, model.word_ngrams]


def read_as(format: str | None) -> Callable[[Path], Found]:
    def reading(path: Path) -> Found:
        found = whole_embedding(firth.read(path, format))
        if not due():
            return found
        first = firth.read(path, format, limit=1)
        expect(first.keys == found[0][: len(first.keys)], "other keys with a limit")
        expect(len(first.keys) <= 1, "more keys than the limit")
        return found

    return reading


def read_load(path: Path) -> Found:
    return whole_embedding(firth.load(path))


# ---- other folders of firth ---------------------------------------------------------------------


def whole_csr(csr: Any, shape: tuple[int, int]) -> Found:
    """Check a sparse matrix with sorted rows."""
    expect(csr.shape == shape and len(csr.indptr) == shape[0] + 1, f"shape {csr.shape}")
    sizes = np.diff(csr.indptr)
    expect(csr.indptr[0] == 0 and (sizes >= 0).all(), "indptr")
    expect(csr.indptr[-1] == len(csr.indices) == len(csr.data), "entries")
    keys = np.repeat(np.arange(shape[0]) * shape[1], sizes) + csr.indices
    expect(not len(keys) or (csr.indices.min() >= 0 and csr.indices.max() < shape[1]), "indices")
    expect((np.diff(keys) > 0).all(), "entries that stand twice or out of order")
    return [csr.indptr, csr.indices, csr.data]


def read_recommender(path: Path) -> Found:
    made = firth.Recommender.load(path)
    users, items = made.users, made.items
    expect(len(set(users)) == len(users) and len(set(items)) == len(items), "twins")
    usual = _numbers(made.item_vectors, (len(items), made.dim), "item_vectors")
    if made.user_vectors is not None:
        usual &= _numbers(made.user_vectors, (len(users), made.dim), "user_vectors")
    if made.biases is not None:
        usual &= _numbers(made.biases, (len(items),), "biases")
    found = whole_csr(made.seen, (len(users), len(items)))
    if users and items and due():
        ids, scores = made.recommend(users, 2)
        expect(ids.shape == scores.shape and len(ids) == len(users), "answers")
        expect(ids.min(initial=-1) >= -1 and ids.max(initial=-1) < len(items), "ids")
        filled = ids >= 0
        expect(not usual or np.isfinite(scores[filled]).all(), "scores")
    return [users, items, made.item_vectors, made.user_vectors, made.biases, made.metadata, *found]


def read_learner(path: Path) -> Found:
    learner = firth.Learner.load(path)
    if learner._learnt.tables is None:
        return [learner.model]
    return [learner.model, *whole_embedding(learner.embedding)]


def read_counts(path: Path) -> Found:
    return whole_counts(firth.Counts.load(path))


def whole_counts(counts: firth.Counts) -> Found:
    """Check counts."""
    found = whole_csr(counts.sums, (len(counts.vocabulary),) * 2)
    expect(counts.sums.nnz == 0 or int(counts.sums.data.min()) > 0, "a sum of 0")
    matrix = counts.matrix()
    expect(np.isfinite(matrix.data).all(), "a count that is not finite")
    return [*found, *whole_vocabulary(counts.vocabulary), counts.window, counts.unit, counts.tokens]


def read_corpus(path: Path) -> Found:
    return whole_corpus(firth.Corpus.load(path))


def whole_corpus(corpus: firth.Corpus) -> Found:
    """Check ids and offsets."""
    ids, offsets = corpus.ids, corpus.offsets
    expect(offsets[0] == 0 and offsets[-1] == len(ids), "offsets")
    expect((np.diff(offsets) > 0).all(), "empty sentences")
    expect(int(ids.max(initial=0)) < max(1, len(corpus.vocabulary)), "ids")
    if len(corpus):
        expect(corpus.sentence(len(corpus) - 1), "no sentence")
    return [ids, offsets, *whole_vocabulary(corpus.vocabulary)]


def whole_vocabulary(vocabulary: Vocabulary) -> Found:
    """Check words and counts."""
    words, counts = vocabulary.words, vocabulary.counts
    expect(len(set(words)) == len(words) == len(counts), "words")
    expect((counts > 0).all() and (np.diff(counts) <= 0).all(), "counts")
    return [words, counts]


@functools.cache
def _learnt_from() -> tuple[firth.Corpus, firth.Counts]:
    lines = [line.split() for line in samples.LINES]
    return firth.Corpus.read(lines, min_count=2, threads=1), samples.counted()


def read_checkpoint(path: Path) -> Found:
    """Go on where it ends; which model it is stands in the file."""
    corpus, counts = _learnt_from()
    glove = b'"glove-checkpoint' in Path(path, "config.json").read_bytes()
    model, source = (samples.GLOVE, counts) if glove else (samples.W2V, corpus)
    emb = model.fit(source, checkpoint=path)
    found = whole_embedding(emb)
    return found[:3]


# ---- tensors ------------------------------------------------------------------------------------


def read_tensors(foreign: bool) -> Callable[[Path], Found]:
    def reading(path: Path) -> Found:
        mapped, notes = tensors_in(path, foreign=foreign)
        found, again = tensors_in(path, mmap=False, foreign=foreign)
        expect(notes == again and list(mapped) == list(found), "mapped is another file")
        size = path.stat().st_size
        expect(sum(array.nbytes for array in found.values()) <= size, "more bytes than the file")
        for name, array in found.items():
            expect(mapped[name].tobytes() == array.tobytes(), "mapped has other numbers")
            expect(array.flags.aligned, "not aligned")
        return [notes, list(found), *found.values()]

    return reading


def read_prepared(path: Path) -> Found:
    made = kernels.Prepared.load(path)
    if len(made):
        queries = np.ones((2, made.dim), np.float32)
        ids, scores = kernels.topk(queries, made, 3, threads=1)
        expect(ids.shape == scores.shape == (2, min(3, len(made))), f"answers {ids.shape}")
        expect(((ids >= 0) & (ids < len(made))).all(), "ids")
        expect((np.diff(np.sort(ids, axis=1), axis=1) > 0).all(), "an item twice")
        values = made.values()
        expect(values.shape == (len(made), made.dim), "values")
    return [made.rows, made.panels, made.constants, made.metric, made.scan]


# ---- others' files ------------------------------------------------------------------------------


def read_glove_counts(path: Path) -> Found:
    files = path / "cooccurrence.bin", path / "vocab.txt"
    found = whole_counts(firth.Counts.read_glove(*files))
    try:
        whole_counts(firth.Counts.read_glove(*files, window=3))
    except FormatError as error:
        expect("multiple of" in str(error), f"with the window: {error}")
    return found


def read_texts(path: Path) -> Found:
    corpus = firth.Corpus.read(path, min_count=1, threads=1)
    if not path.suffix:
        other = firth.Corpus.read(path, min_count=1, threads=2, memory=1, folder=path.parent)
        expect(other.ids.tobytes() == corpus.ids.tobytes(), "other ids within a bar")
        expect(other.vocabulary == corpus.vocabulary, "another vocabulary within a bar")
    return whole_corpus(corpus)


@functools.cache
def _classifier() -> firth.Classifier:
    table, labels = samples.rows(5), ["__label__a", "__label__ü"]
    return firth.Classifier(
        samples.PLAIN, table, firth.Subwords(0, 0, 0), samples.rows(2, seed=1), labels
    )


def read_labelled(path: Path) -> Found:
    scores = _classifier().test(path)
    expect(0 <= scores.precision <= 1 and 0 <= scores.recall <= 1, f"{scores}")
    return [str(scores)]


def read_graph(path: Path) -> Found:
    graph = firth.Graph.read(path, directed=True)
    csr = graph.csr
    names = list(graph.keys)
    expect(len(set(names)) == len(names), "nodes that stand twice")
    found = whole_csr(csr, (len(names), len(names)))
    expect(np.isfinite(csr.data).all() and (csr.data > 0).all(), "weights")
    return [names, *found]


def _interactions(path: Path, **options: Any) -> Found:
    made = firth.Interactions.read(path, **options)
    users, items = made.users, made.items
    expect(len(set(users)) == len(users) and len(set(items)) == len(items), "twins")
    found = whole_csr(made.csr, (len(users), len(items)))
    expect(np.isfinite(made.csr.data).all() and (made.csr.data > 0).all(), "values")
    if made.times is not None:
        expect(len(made.times) == made.csr.nnz, "times")
    return [users, items, made.times, *found]


def read_ratings(path: Path) -> Found:
    return _interactions(path, rating=2, time=3, least=0.5)


def read_lists(path: Path) -> Found:
    return _interactions(path, lists=True)


def read_pairs(path: Path) -> Found:
    found = list(pairs_in(path))
    expect(found and all(a and b and np.isfinite(score) for a, b, score in found), "pairs")
    return found


def read_questions(path: Path) -> Found:
    found: Mapping[str, list[Any]] = questions_in(path)
    questions = list(itertools.chain.from_iterable(found.values()))
    expect(questions and all(len(one) == 4 and all(one) for one in questions), "questions")
    return [found]


def read_labels(path: Path) -> Found:
    found = labels_in(path)
    expect(found and all(node and all(some) for node, some in found.items()), "labels")
    return [found]


def read_vocabulary(path: Path) -> Found:
    return whole_vocabulary(Vocabulary.load(path))
