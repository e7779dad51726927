"""Every long public call, big enough to take from a tenth of a second to a few: what Ctrl-C meets.

A call is made by a function of no arguments, which returns it, or a pair of it and of a check that
says the same before and after an interruption.
"""

import atexit
import bz2
import copy
import gzip
import importlib
import io
import lzma
import pickle
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import firth
from firth import kernels
from trust import _running as running

Calls = dict[str, Callable[[], Any]]
CALLS: Calls = {}


def named(calls: Calls) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return two decorators that put into ``calls`` what makes a call, or several."""

    def case(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def keep(setup: Callable[..., Any]) -> Callable[..., Any]:
            calls[name] = setup
            return setup

        return keep

    def cases(prefix: str, several: dict[str, Any]) -> Callable[..., Any]:
        def keep(setup: Callable[..., Any]) -> Callable[..., Any]:
            for name, argument in several.items():
                calls[prefix + name] = partial(setup, argument)
            return setup

        return keep

    return case, cases


case, cases = named(CALLS)


def forget(name: str) -> None:
    """Drop large data that the next calls hardly need."""
    if name.split(".")[0] in ("kernels", "Embedding"):
        vectors.cache_clear()


@cache
def folder() -> Path:
    """A folder for files, removed in the end."""
    path = Path(tempfile.mkdtemp(prefix="firth-interrupts-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def lines() -> list[str]:
    """Real text of 1.5 M words."""
    return running.words(1_500_000)


@cache
def text() -> Path:
    """The same in a file."""
    path = folder() / "text.txt"
    path.write_text("\n".join(lines()))
    return path


@cache
def corpus() -> firth.Corpus:
    """The same, read."""
    return firth.Corpus.read(text())


@cache
def vectors(rows: int = 200_000, dim: int = 100) -> np.ndarray:
    """Drawn vectors."""
    return np.random.default_rng(1).standard_normal((rows, dim)).astype(np.float32)


@cache
def embedding() -> firth.Embedding:
    """The same with keys."""
    table = vectors()
    return firth.Embedding([f"w{row}" for row in range(len(table))], table)


@cache
def counts() -> firth.Counts:
    """Who stands beside whom in the text."""
    return firth.Counts.of(corpus(), window=8)


# ---- models of text -----------------------------------------------------------------------------

_TEXT = {
    "Word2Vec": firth.Word2Vec(dim=50, epochs=1),
    "Word2Vec cbow": firth.Word2Vec(dim=50, epochs=2, cbow=True),
    "Word2Vec deterministic": firth.Word2Vec(dim=50, epochs=1, deterministic=True),
    "FastText": firth.FastText(dim=32, epochs=1, buckets=200_000),
    "GloVe": firth.GloVe(dim=50, epochs=2, window=8),
    "PPMI": firth.PPMI(dim=20, window=4, max_vocab=8000),
    "PPMI memory": firth.PPMI(dim=10, window=8, max_vocab=8000, memory="40 MB"),
}


@cases("fit: ", _TEXT)
def _fit_text(model: Any) -> Any:
    return lambda: model.fit(corpus())


@case("fit: Word2Vec from a file")
def _fit_file() -> Any:
    return lambda: firth.Word2Vec(dim=16, epochs=1, window=2).fit(text())


@case("fit: Word2Vec checkpoint")
def _fit_checkpoint() -> Any:
    model, path = firth.Word2Vec(dim=50, epochs=1), folder() / "checkpoint"

    def call() -> None:
        shutil.rmtree(path, ignore_errors=True)
        model.fit(corpus(), checkpoint=path, every=300_000)

    return call


@cases("fit: FastTextClassifier ", {"softmax": "softmax", "hs": "hs"})
def _fit_classifier(loss: str) -> Any:
    texts = running.labelled(lines()[:20_000])
    model = firth.FastTextClassifier(dim=16, epochs=2, min_n=2, max_n=4, loss=loss, buckets=100_000)
    return lambda: model.fit(texts)


@case("Learner.partial_fit")
def _partial_fit() -> Any:
    part = lines()[:25_000]
    learner = firth.Word2Vec(dim=32, epochs=1).learner()
    learner.partial_fit(part)

    def check() -> Any:
        return learner.embedding.vectors.shape, learner.embedding.keys[:9]

    return lambda: copy.copy(learner).partial_fit(part), check


@case("Learner.save and load")
def _learner_files() -> Any:
    learner = firth.Word2Vec(dim=200, min_count=1).learner().partial_fit(lines()[:25_000], epochs=1)
    path = folder() / "learner"

    def call() -> None:
        learner.save(path)
        firth.Learner.load(path)

    return call


# ---- texts --------------------------------------------------------------------------------------


def _packed(name: str, pack: Callable[[bytes], bytes], size: int) -> Path:
    path = folder() / name
    path.write_bytes(pack(text().read_bytes()[:size]))
    return path


def _column() -> Any:
    return importlib.import_module("pyarrow").chunked_array([lines() * 2])


_SOURCES: dict[str, Callable[[], Any]] = {
    "paths": lambda: [text()] * 6,
    "gz": lambda: _packed("text.gz", gzip.compress, 9_000_000),
    "bz2": lambda: _packed("text.bz2", bz2.compress, 3_000_000),
    "xz": lambda: _packed("text.xz", lambda data: lzma.compress(data, preset=1), 9_000_000),
    "documents": lambda: lines() * 3,
    "one document": lambda: [" ".join(lines() * 3)],
    "token lists": lambda: [line.split() for line in lines()],
    "tokens of one list": lambda: [" ".join(lines()).split()],
    "Arrow column": _column,
}


@cases("Corpus.read: ", _SOURCES)
def _read(source: Callable[[], Any]) -> Any:
    made = source()
    return lambda: firth.Corpus.read(made)


@case("Corpus.read: open file")
def _read_file() -> Any:
    data = text().read_bytes() * 4
    return lambda: firth.Corpus.read(io.BytesIO(data))


@case("Corpus.read: open text file")
def _read_text_file() -> Any:
    data = text().read_text() * 2
    return lambda: firth.Corpus.read(io.StringIO(data))


@case("Corpus.read: memory")
def _read_memory() -> Any:
    def call() -> None:
        firth.Corpus.read([text()] * 4, memory="1 MB", folder=folder())

    return call, lambda: sorted(path.name for path in folder().iterdir())


@case("Corpus.save and load")
def _corpus_files() -> Any:
    path, large = folder() / "corpus", firth.Corpus.read([text()] * 8)

    def call() -> None:
        large.save(path)
        firth.Corpus.load(path, mmap=False)

    return call, lambda: path.exists() and len(firth.Corpus.load(path))


@case("Vocabulary.save, load and merge")
def _vocabulary() -> Any:
    some, path = _vocabulary_of(300_000), folder() / "words.txt"

    def call() -> None:
        some.save(path)
        firth.Vocabulary.load(path).merge(some)

    return call


def _vocabulary_of(many: int) -> firth.Vocabulary:
    return firth.Vocabulary([f"word{i}" for i in range(many)], np.arange(many, 0, -1))


# ---- counts -------------------------------------------------------------------------------------


@cases("Counts.of", {"": None, " memory": "40 MB"})
def _count(memory: Any) -> Any:
    place = None if memory is None else folder()
    return lambda: firth.Counts.of(corpus(), window=8, memory=memory, folder=place)


@case("Counts.merge")
def _merge() -> Any:
    other = firth.Counts.of(lines()[:40_000], window=8)
    return lambda: counts().merge(other)


@case("Counts.save and load")
def _counts_files() -> Any:
    path = folder() / "counts"

    def call() -> None:
        counts().save(path)
        firth.Counts.load(path)

    return call


@case("Counts.write_glove and read_glove")
def _glove_files() -> Any:
    path, few = folder() / "cooccurrence.bin", firth.Counts.of(lines()[:20_000], window=8)

    def call() -> None:
        few.write_glove(path)
        firth.Counts.read_glove(path, few.vocabulary)

    return call


@cases("Counts.", {"ppmi": "ppmi", "collocations": "collocations", "matrix": "matrix"})
def _association(name: str) -> Any:
    return getattr(counts(), name)


# ---- embeddings ---------------------------------------------------------------------------------


@case("Embedding()")
def _embedding() -> Any:
    table = vectors(400_000)
    keys = [f"w{row}" for row in range(len(table))]
    return lambda: firth.Embedding(keys, table)


def _nearest() -> Any:
    return embedding().nearest("w5", 3)[0].tolist()


@case("Embedding.nearest")
def _ask() -> Any:
    keys = embedding().keys[:2000]
    return lambda: embedding().nearest(keys, 10), _nearest


@case("Embedding.nearest prepared")
def _ask_prepared() -> Any:
    emb = firth.Embedding(embedding().keys, embedding().vectors).prepare()
    return lambda: emb.nearest(emb.keys[:8000], 10), lambda: emb.nearest("w5", 3)[0].tolist()


@cases("Embedding.prepare ", {scan: scan for scan in ("float32", "bfloat16", "int8")})
def _prepare(scan: Any) -> Any:
    return lambda: kernels.prepare(vectors(500_000), scan=scan)


@case("Embedding.most_similar mul")
def _mul() -> Any:
    emb = embedding()
    return lambda: [emb.most_similar(["w1", "w2"], ["w3"], method="mul") for _ in range(10)]


@case("Embedding.unit")
def _unit() -> Any:
    emb = firth.Embedding([str(i) for i in range(500_000)], vectors(500_000), check=False)
    return emb.unit


@case("Embedding pickled")
def _pickled() -> Any:
    return lambda: pickle.loads(pickle.dumps(embedding()))


def _formats(name: str) -> Any:
    emb, path = embedding(), folder() / name
    if "text" in name:
        emb = firth.Embedding(emb.keys[:40_000], emb.vectors[:40_000])
    emb.write(path, format=name)
    return emb, path


_NAMES = ("firth", "word2vec-text", "word2vec-binary", "glove-text")


@cases("Embedding.write ", {name: name for name in _NAMES})
def _write(name: str) -> Any:
    emb, path = _formats(name)
    return lambda: emb.write(path, format=name), lambda: len(firth.read(path, limit=9))


@cases("firth.read ", {name: name for name in _NAMES})
def _read_format(name: str) -> Any:
    _, path = _formats(name)
    return lambda: firth.read(path)


@cache
def subword_model(floret: bool = False) -> firth.SubwordEmbedding:
    """A table of rows that is as large as those of users."""
    rule = firth.Subwords(buckets=200_000, hashes=2 if floret else 0)
    keys = [f"word{i}ish" for i in range(60_000)]
    rows = rule.buckets + (0 if floret else len(keys))
    return firth.SubwordEmbedding(keys, vectors(rows), rule)


@cases("SubwordEmbedding ", {"fasttext-binary": False, "floret": True})
def _subword_files(floret: bool) -> Any:
    model, name = subword_model(floret), "floret" if floret else "fasttext-binary"
    path = folder() / name

    def call() -> None:
        model.write(path, format=name)
        firth.read(path)

    return call


@case("SubwordEmbedding of unseen words")
def _unseen() -> Any:
    model, unseen = subword_model(), [f"unseen{i}ness" for i in range(100_000)]
    return lambda: model[unseen], lambda: model["unseen"].tobytes()


@cases("Classifier.", {"predict": "predict", "test": "test"})
def _predict(name: str) -> Any:
    texts = lines()[:30_000]
    model = firth.FastTextClassifier(dim=16, epochs=1, min_n=2, max_n=4, buckets=100_000)
    model = model.fit(running.labelled(texts[:2000]))
    asked = texts if name == "predict" else running.labelled(texts)
    return lambda: getattr(model, name)(asked), lambda: str(model.predict(texts[0]))
