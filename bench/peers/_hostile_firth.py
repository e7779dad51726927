"""How firth answers the bad inputs."""

import numpy as np
from _hostile_bin import UNSEEN, placed
from _hostile_native import names, way
from _hostile_training import SUBWORDS, Text

import firth
import firth._cpu  # which the first call would load; the other peers are all there once imported


def _bin(case, folder):
    emb = firth.read(placed(case.given, folder / "model.bin"), format="fasttext-binary")
    emb.most_similar(emb.keys[0], k=1)
    return emb.keys, emb.vectors, emb[UNSEEN] if emb.has_vector(UNSEEN) else None


def _vectors(format):
    def way(case, folder):
        emb = firth.read(placed(case.given, folder / "vectors"), format=format)
        emb.most_similar(emb.keys[0], k=1)
        return emb.keys, emb.vectors

    return way


def fails(*_):
    """Fail, as a callback of a user can."""
    raise RuntimeError("the callback has failed")


def _train(case, folder):
    settings = dict(case.given)
    corpus, called = settings.pop("corpus"), settings.pop("callback", False)
    if isinstance(corpus, Text):
        corpus = placed(corpus.data, folder / corpus.name)
    elif callable(corpus) and corpus is not list:
        corpus = corpus()
    model = (firth.FastText if case.group == SUBWORDS else firth.Word2Vec)(**settings)
    emb = model.fit(corpus, callback=fails if called else None)
    return emb.keys, emb.vectors


def _search(case, _):
    given = case.given
    return firth.kernels.topk(given["queries"], given["items"], given["k"], metric="dot")


def _keys(case, _):
    given = case.given
    emb = firth.Embedding(given["keys"], given["vectors"])
    name, *terms = given["call"]
    if name == "vector":
        return emb[terms[0]]
    if name == "similar":
        return emb.most_similar(terms[0], k=terms[1])
    if name == "similarity":
        return emb.similarity(*terms)
    emb.most_similar(terms[0], k=2)
    emb.vectors[0] *= 100
    return max(score for _, score in emb.most_similar(terms[0], k=4))


def _made(vectors):
    return firth.Embedding(names(len(vectors)), vectors)


def _save(emb, path):
    emb.save(path)


def _load(path):
    emb = firth.load(path)
    emb.most_similar(emb.keys[0])
    return emb.keys, np.array(emb.vectors)


OWN = (_made, _save, _load)
WAYS = {
    "own format": way(*OWN),
    "search": _search,
    "keys and vectors": _keys,
    "training": _train,
    "training with subwords": _train,
    "fastText .bin": _bin,
    "word2vec text": _vectors("word2vec-text"),
    "word2vec binary": _vectors("word2vec-binary"),
    "GloVe text": _vectors("glove-text"),
}
