"""How fastText's Python module answers the bad inputs."""

import tempfile
from pathlib import Path

import numpy as np
from _hostile_bin import UNSEEN, model, placed
from _hostile_judge import SkippedError
from _hostile_native import names, way
from _hostile_training import SUBWORDS, Text, sentences
from _measure import imported

fasttext = imported("fasttext")


def _bin(case, folder):
    loaded = fasttext.load_model(str(placed(case.given, folder / "model.bin")))
    words = loaded.get_words()
    loaded.get_nearest_neighbors(words[0], k=1)
    vectors = np.array([loaded.get_word_vector(word) for word in words])
    return words, vectors, loaded.get_word_vector(UNSEEN)


SETTINGS = {
    "window": "ws",
    "negative": "neg",
    "epochs": "epoch",
    "threads": "thread",
    "min_count": "minCount",
    "sample": "t",
    "buckets": "bucket",
    "min_n": "minn",
    "max_n": "maxn",
}
MISSING = {"seed", "noise_exponent", "max_vocab", "callback"}  # of its Python module


def _train(case, folder):
    settings = {SETTINGS.get(name, name): value for name, value in case.given.items()}
    corpus = settings.pop("corpus")
    plain = isinstance(corpus, list) and case.given["corpus"] == sentences()
    if not (isinstance(corpus, Text) or plain) or MISSING & settings.keys():
        raise SkippedError
    if plain:
        corpus = Text("\n".join(" ".join(one) for one in corpus).encode() + b"\n")
    if corpus.name.endswith((".gz", ".bz2")):
        raise SkippedError
    settings["t"] = settings["t"] or 1.0  # keeps all
    settings["model"] = "cbow" if settings.pop("cbow", False) else "skipgram"
    if case.group != SUBWORDS:
        settings["maxn"] = 0
    path = str(placed(corpus.data, folder / corpus.name))
    learnt = fasttext.train_unsupervised(path, **settings)
    words = [word for word in learnt.get_words(on_unicode_error="replace") if word != "</s>"]
    return words, np.array([learnt.get_word_vector(word) for word in words])


def _made(vectors):
    with tempfile.NamedTemporaryFile() as file:
        words = [name.encode() for name in names(len(vectors))]
        shape = {"dim": vectors.shape[1], "bucket": 0, "maxn": 0}
        Path(file.name).write_bytes(model(words=words, input=vectors, output=vectors, **shape))
        return fasttext.load_model(file.name)


def _save(saved, path):
    saved.save_model(str(path))


def _load(path):
    loaded = fasttext.load_model(str(path))
    loaded.get_nearest_neighbors("word1")
    return loaded.get_words(), np.array(loaded.get_input_matrix())


OWN = (_made, _save, _load)
WAYS = {
    "own format": way(*OWN),
    "fastText .bin": _bin,
    "training": _train,
    "training with subwords": _train,
}
