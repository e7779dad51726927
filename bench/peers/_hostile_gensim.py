"""How gensim answers the bad inputs."""

import numpy as np
from _hostile_bin import UNSEEN, placed
from _hostile_native import names, way
from _hostile_training import SUBWORDS, Text
from gensim.models import FastText, KeyedVectors, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from gensim.models.fasttext import load_facebook_model


def _bin(case, folder):
    vectors = load_facebook_model(str(placed(case.given, folder / "model.bin"))).wv
    vectors.most_similar(vectors.index_to_key[0], topn=1)
    return vectors.index_to_key, vectors.vectors, vectors[UNSEEN]


def _vectors(**options):
    def way(case, folder):
        path = str(placed(case.given, folder / "vectors"))
        vectors = KeyedVectors.load_word2vec_format(path, **options)
        vectors.most_similar(vectors.index_to_key[0], topn=1)
        return vectors.index_to_key, np.array(vectors.vectors)

    return way


SETTINGS = {
    "dim": "vector_size",
    "lr": "alpha",
    "threads": "workers",
    "noise_exponent": "ns_exponent",
    "max_vocab": "max_final_vocab",
    "buckets": "bucket",
}


class Fails(CallbackAny2Vec):
    """A callback that fails."""

    def on_epoch_end(self, _):
        """Fail."""
        raise RuntimeError("the callback has failed")


def _train(case, folder):
    settings = {SETTINGS.get(name, name): value for name, value in case.given.items()}
    corpus, called = settings.pop("corpus"), settings.pop("callback", False)
    if isinstance(corpus, Text):
        settings["corpus_file"] = str(placed(corpus.data, folder / corpus.name))
    else:
        made = callable(corpus) and corpus is not list
        settings["sentences"] = corpus() if made else corpus
    settings["sg"] = not settings.pop("cbow", False)
    kind = FastText if case.group == SUBWORDS else Word2Vec
    vectors = kind(callbacks=[Fails()] if called else [], **settings).wv
    return vectors.index_to_key, np.array(vectors.vectors)


def _keys(case, _):
    given = case.given
    vectors = KeyedVectors(np.shape(given["vectors"])[-1])
    vectors.add_vectors(given["keys"], given["vectors"])
    name, *terms = given["call"]
    if name == "vector":
        return vectors[terms[0]]
    if name == "similar":
        return vectors.most_similar(terms[0], topn=terms[1])
    if name == "similarity":
        return float(vectors.similarity(*terms))
    vectors.most_similar(terms[0], topn=2)
    vectors.vectors[0] *= 100
    return max(score for _, score in vectors.most_similar(terms[0], topn=4))


def _made(values):
    vectors = KeyedVectors(values.shape[1])
    vectors.add_vectors(names(len(values)), values)
    return vectors


def _save(vectors, path):
    vectors.save(str(path))


def _load(path):
    vectors = KeyedVectors.load(str(path))
    vectors.most_similar(vectors.index_to_key[0])
    return vectors.index_to_key, np.array(vectors.vectors)


OWN = (_made, _save, _load)
WAYS = {
    "own format": way(*OWN),
    "keys and vectors": _keys,
    "training": _train,
    "training with subwords": _train,
    "fastText .bin": _bin,
    "word2vec text": _vectors(),
    "word2vec binary": _vectors(binary=True),
    "GloVe text": _vectors(no_header=True),
}
