"""Everything in firth that writes a file or a folder: how, and what comes back of it.

Each `Writer` makes things that differ by ``version`` and are about ``size`` bytes, saves them, and
says what a path holds in a few bytes, so that a whole old thing can be told from a whole new one.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import firth
from firth import CSR, Corpus, Counts, Embedding, Learner, Recommender, Vocabulary, Word2Vec, _files
from firth.formats.tensors import read_tensors, write_tensors
from firth.item_recommender import ItemRecommender
from firth.models._checkpoint import Checkpoint

_DIM = 50


@dataclass(frozen=True)
class Writer:
    """One way to write, and to read what was written."""

    name: str
    make: Callable[[int, int], Any]  # a version, and a size in bytes
    save: Callable[[Any, Path], object]
    load: Callable[[Path], Any]
    parts: Callable[[Any], list[Any]]
    folder: bool = False

    def held(self, path: Path) -> str:
        """Read a path and say what it holds; raises what reading raises."""
        return told(self.parts(self.load(path)))

    def meant(self, made: Any) -> str:
        """Say what reading should find."""
        return told(self.parts(made))


def told(parts: list[Any]) -> str:
    """Return what tells these arrays, texts and numbers from all others."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def below(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones included."""
    return sorted(os.listdir(folder))  # noqa: PTH208


# ---- what is written ----------------------------------------------------------------------------


def _draws(version: int, *shape: int) -> Any:
    return np.random.default_rng(version).standard_normal(shape).astype(np.float32)


def _keys(version: int, many: int, kind: str = "w") -> list[str]:
    return [f"{kind}{version}-{row:06}" for row in range(many)]


def _tally(version: int, many: int) -> Any:
    return np.arange(many, 0, -1, dtype=np.int64) + version


def _embedding(version: int, size: int) -> Embedding:
    many = size // (4 * _DIM)
    return Embedding(_keys(version, many), _draws(version, many, _DIM), _tally(version, many))


def _subwords(version: int, size: int, **rule: int) -> firth.SubwordEmbedding:
    many, buckets = 50, size // (4 * _DIM)
    subwords = firth.Subwords(3, 4, buckets, **rule)
    rows = buckets + (many if subwords.words_have_rows else 0)
    keys, tally = _keys(version, many), _tally(version, many)
    output = None if rule else _draws(version + 9, many, _DIM)
    input = _draws(version, rows, _DIM)
    return firth.SubwordEmbedding(keys, input, subwords, tally, output=output)


def _floret(version: int, size: int) -> firth.SubwordEmbedding:
    return _subwords(version, size // 8, hashes=2)


def _classifier(version: int, size: int) -> firth.Classifier:
    many = size // (4 * _DIM)
    return firth.Classifier(
        _keys(version, many),
        _draws(version, many, _DIM),
        firth.Subwords(max_n=0, buckets=0),
        _draws(version + 9, 4, _DIM),
        [f"__label__{version}{label}" for label in "abcd"],
    )


def _seen(version: int, users: int, items: int) -> CSR:
    rng = np.random.default_rng(version)
    rows = [np.sort(rng.choice(items, 5, replace=False)) for _ in range(users)]
    ends = np.arange(users + 1, dtype=np.int64) * 5
    return CSR(ends, np.concatenate(rows).astype(np.int32), np.ones(5 * users, np.float32), items)


def _recommender(version: int, size: int) -> Recommender:
    many = max(size // (8 * _DIM), 10)
    names = _keys(version, many, "u"), _keys(version, many, "i")
    vectors = _draws(version, many, _DIM), _draws(version + 9, many, _DIM)
    return Recommender(*names, *vectors, _seen(version, many, many), _draws(version, many))


def _items(version: int, size: int) -> ItemRecommender:
    many = max(int((size / 4) ** 0.5), 10)
    names = _keys(version, 20, "u"), _keys(version, many, "i")
    return ItemRecommender(*names, None, _draws(version, many, many), _seen(version, 20, many))


def _learner(version: int, size: int) -> Learner:
    words = _keys(version, max(size // (8 * _DIM), 10))
    return Word2Vec(dim=_DIM, epochs=1, min_count=1, threads=1).learner().partial_fit([words] * 2)


def _ids(version: int, many: int, words: int) -> Any:
    return np.random.default_rng(version).integers(0, words, many).astype(np.uint32)


def _corpus(version: int, size: int) -> Corpus:
    ids, words = _ids(version, size // 4, 500), _keys(version, 500)
    vocabulary = Vocabulary(words, np.sort(np.bincount(ids, minlength=500))[::-1] + 1)
    return Corpus(ids, np.array([0, len(ids) // 2, len(ids)]), vocabulary)


def _counts(version: int, size: int) -> Counts:
    words = max(int((size / 12) ** 0.5), 5)
    ids = _ids(version, max(size // 8, 500), words)
    vocabulary = Vocabulary(_keys(version, words), np.sort(np.bincount(ids, minlength=words))[::-1])
    return Counts.of(Corpus(ids, np.array([0, len(ids)]), vocabulary), window=3, threads=1)


def _vocabulary(version: int, size: int) -> Vocabulary:
    many = size // 64
    return Vocabulary(_keys(version, many), _tally(version, many))


def _for_text(version: int, size: int) -> Embedding:
    return _embedding(version, size // 8)  # numbers are longer there, and slow to read


def _prepared(version: int, size: int) -> firth.kernels.Prepared:
    return firth.kernels.prepare(_draws(version, size // (6 * _DIM), _DIM), scan="bfloat16")


def _tensors(version: int, size: int) -> dict[str, Any]:
    return {"a": _draws(version, size // 8, 2), "b": np.arange(version, version + 9)}


# ---- how, and what comes back -------------------------------------------------------------------


def _save_checkpoint(made: dict[str, Any], path: Path) -> None:
    Checkpoint(path, "GloVe", {"seed": 1}, None, None).save([float(made["b"][0])], **made)


def _load_checkpoint(path: Path) -> dict[str, Any]:
    found = Checkpoint.of(path, "GloVe", {"seed": 1}, 9).found
    assert found is not None
    assert found.losses == [float(found.tensors["b"][0])]
    return found.tensors


@contextlib.contextmanager
def two_steps() -> Any:
    """Replace folders as where two names cannot be exchanged."""
    exchange, _files.exchange = _files.exchange, lambda a, b: False
    try:
        yield
    finally:
        _files.exchange = exchange


def _save_in_two_steps(made: Embedding, path: Path) -> None:
    with two_steps():
        made.save(path)


def _load_in_two_steps(path: Path) -> Embedding:
    with two_steps():
        return firth.load(path)


def _written(format: str) -> Any:
    def save(made: Embedding, path: Path) -> None:
        made.write(path, format=format)

    return save, lambda path: firth.read(path, format)


def _counts_parts(made: Counts) -> list[Any]:
    sums = made.sums
    return [sums.indptr, sums.indices, sums.data, made.vocabulary.words, made.unit, made.window]


def _recommender_parts(made: Recommender) -> list[Any]:
    vectors = made.item_vectors, made.user_vectors, made.biases
    return [made.users, made.items, *vectors, made.seen.indptr, made.seen.indices]


def _save(made: Any, path: Path) -> None:
    made.save(path)


def _keys_and_vectors(made: Embedding) -> list[Any]:
    return [made.keys, made.vectors]


def _embedding_parts(made: Embedding) -> list[Any]:
    return [made.keys, made.vectors, made.counts, made.metadata]


def _subword_parts(made: firth.SubwordEmbedding) -> list[Any]:
    return [made.keys, made.input, made.output, made.rule]


def _rows_of(made: firth.SubwordEmbedding) -> list[Any]:
    return [made.rule, made.input]  # keys are no part of these files


def _glove_words(path: Path) -> Counts:
    """Read a file of counts, whose words any reading needs, as if they were its own."""
    largest = int(np.fromfile(path, "<i4").reshape(-1, 4)[:, :2].max())
    return Counts.read_glove(path, Vocabulary(_keys(0, largest), _tally(0, largest)), window=3)


WRITERS = {
    writer.name: writer
    for writer in (
        Writer("Embedding.save", _embedding, _save, firth.load, _embedding_parts, True),
        Writer(
            "Embedding.save in two steps",
            _embedding,
            _save_in_two_steps,
            _load_in_two_steps,
            _embedding_parts,
            True,
        ),
        Writer("SubwordEmbedding.save", _subwords, _save, firth.load, _subword_parts, True),
        Writer(
            "Classifier.save",
            _classifier,
            _save,
            firth.load,
            lambda made: [*_subword_parts(made), made.labels],
            True,
        ),
        Writer("Recommender.save", _recommender, _save, Recommender.load, _recommender_parts, True),
        Writer("ItemRecommender.save", _items, _save, Recommender.load, _recommender_parts, True),
        Writer(
            "Learner.save",
            _learner,
            _save,
            Learner.load,
            lambda made: [repr(made), *_embedding_parts(made.embedding)],
            True,
        ),
        Writer("Counts.save", _counts, _save, Counts.load, _counts_parts, True),
        Writer(
            "Corpus.save",
            _corpus,
            _save,
            Corpus.load,
            lambda made: [made.ids, made.offsets, made.vocabulary.words, made.vocabulary.counts],
            True,
        ),
        Writer(
            "checkpoint",
            _tensors,
            _save_checkpoint,
            _load_checkpoint,
            lambda made: [made["a"], made["b"]],
            True,
        ),
        Writer("word2vec-text", _for_text, *_written("word2vec-text"), _keys_and_vectors),
        Writer("word2vec-binary", _embedding, *_written("word2vec-binary"), _keys_and_vectors),
        Writer("glove-text", _for_text, *_written("glove-text"), _keys_and_vectors),
        Writer("floret", _floret, *_written("floret"), _rows_of),
        Writer("fasttext-binary", _subwords, *_written("fasttext-binary"), _subword_parts),
        Writer(
            "Counts.write_glove",
            _counts,
            lambda made, path: made.write_glove(path),
            _glove_words,
            lambda made: [made.sums.indptr, made.sums.indices, made.sums.data],
        ),
        Writer(
            "Vocabulary.save",
            _vocabulary,
            _save,
            Vocabulary.load,
            lambda made: [made.words, made.counts],
        ),
        Writer(
            "Prepared.save",
            _prepared,
            _save,
            firth.kernels.Prepared.load,
            lambda made: [made.panels, made.rows, made.constants, made.metric, made.scan],
        ),
        Writer(
            "write_tensors",
            _tensors,
            lambda made, path: write_tensors(path, made),
            lambda path: read_tensors(path)[0],
            lambda made: [made["a"], made["b"]],
        ),
    )
}


# ---- what is spilled ----------------------------------------------------------------------------


def _rows(many: int) -> Any:
    rng = np.random.default_rng(1)
    for _ in range(many):
        yield " ".join(map(str, (rng.pareto(0.8, 20_000) * 10 % 30_000).astype(int)))


def _read(folder: Path, rows: int = 10) -> str:
    found = Corpus.read(_rows(rows), memory=1000, folder=folder, min_count=1, threads=2)
    return told([found.ids, found.offsets, found.vocabulary.words])


def _count(folder: Path, rows: int = 10) -> str:
    budget = {"memory": "30 MB", "folder": folder, "threads": 2}
    return told(_counts_parts(Counts.of(_rows(rows), min_count=1, **budget)))


SPILLS = {"Corpus.read(memory=)": _read, "Counts.of(memory=)": _count}
