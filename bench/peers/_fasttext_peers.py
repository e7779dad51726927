"""Who is measured by fasttext.py: firth and its peers, each as a way of doing the same.

A way is called without arguments and returns the CPU seconds it took. Each function here makes
ways by name, after it has seen to it that all answer the same; who is not installed is told.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _measure import imported, way

import firth


def program():
    """Return the path of the original program, or None and say so."""
    found = os.environ.get("FASTTEXT") or shutil.which("fasttext")
    if found is None:
        print("the program fasttext is left out: set $FASTTEXT or put it on PATH")
    return found


# ---- hashing ------------------------------------------------------------------------------------


def hashing(words, rule, folder, driver):
    """Return ways from all words to the ids of their n-grams, and how many ids there are."""
    text = "".join(f"{word}\n" for word in words).encode("utf-8", "surrogateescape")
    settings = {"min_n": rule.min_n, "max_n": rule.max_n, "buckets": rule.buckets, "threads": 1}
    bags = firth.kernels.subwords(text, **settings)
    ways = {
        "firth, bytes": way(lambda: firth.kernels.subwords(text, **settings), 10),
        "firth, list": way(lambda: firth.kernels.subwords(words, **settings), 10),
    }
    _check_ids("firth, list", firth.kernels.subwords(words, **settings).ids, bags.ids)
    lengths = (rule.min_n, rule.max_n, rule.buckets)
    if imported("gensim"):
        hashes = imported("gensim.models.fasttext").ft_ngram_hashes
        _check_ids("gensim", np.concatenate([hashes(word, *lengths) for word in words]), bags.ids)
        ways["gensim"] = way(lambda: [hashes(word, *lengths) for word in words])
    if fasttext := imported("fasttext"):
        model = _opened(fasttext, _model_of_nothing(folder, rule))
        ids = np.concatenate([model.get_subwords(word)[1] for word in words])
        _check_ids("fasttext, Python", ids - 1, bags.ids)  # row 0 is that of the model's only word
        ways["fasttext, Python"] = way(lambda: [model.get_subwords(word) for word in words])
    if driver:
        path, ids = folder / "words.txt", folder / "ids"
        path.write_bytes(text)

        def driven(rounds=5):
            command = [driver, path, str(rounds), *map(str, lengths), ids]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return statistics.median(map(float, printed.split()))

        driven(1)
        _check_ids("fastText, C++", np.fromfile(ids, np.int32), bags.ids)
        ways["fastText, C++"] = driven
    else:
        print("fastText, C++ is left out: no --driver")
    return ways, len(bags.ids)


def hashing_as_floret(words, rule, folder):
    """Return the same by floret's rule, the whole word and each n-gram twice."""
    settings = {"min_n": rule.min_n, "max_n": rule.max_n, "buckets": 50_000, "hashes": 2}
    bags = firth.kernels.subwords(words, **settings, threads=1)
    ways = {
        "firth, list, floret": way(lambda: firth.kernels.subwords(words, **settings, threads=1), 5)
    }
    if floret := imported("floret"):
        text = folder / "few.txt"
        text.write_text("a b c d\n" * 50)
        lengths = {"minn": rule.min_n, "maxn": rule.max_n, "bucket": 50_000, "hashCount": 2}
        model = floret.train_unsupervised(
            str(text), mode="floret", **lengths, dim=1, minCount=1, thread=1, epoch=1, verbose=0
        )
        own = len(model.words)  # ids count from there
        ids = np.concatenate([model.get_subwords(word)[1] for word in words])
        _check_ids("floret, Python", ids - own, bags.ids)
        ways["floret, Python"] = way(lambda: [model.get_subwords(word) for word in words])
    return ways, len(bags.ids)


def _check_ids(name, found, wanted):
    if not np.array_equal(found, wanted):
        sys.exit(f"fasttext: {name} hashes words to other ids")


def _model_of_nothing(folder, rule):
    """Write a model of one word and one dimension: peers only hash by the rules of a model."""
    table = np.zeros((1 + rule.buckets, 1), np.float32)
    emb = firth.SubwordEmbedding(["-" * 30], table, rule, [1], output=np.zeros((1, 1), np.float32))
    path = folder / "nothing.bin"
    emb.write(path, format="fasttext-binary")
    return path


def _opened(module, path):
    """Load a model by fasttext's module, without what it prints about its own changes."""
    module.FastText.eprint = lambda *_: None
    return module.load_model(str(path))


# ---- vectors of unseen words --------------------------------------------------------------------


def misspelt(words, count, seed=1):
    """Return words with a letter dropped, doubled or exchanged with the next, all unseen."""
    rng, known, found = np.random.default_rng(seed), set(words), []
    longer = [word for word in words if len(word) > 4]
    if not longer:
        sys.exit("fasttext: the text has no word of five letters")
    for _ in range(20 * count):
        word = longer[rng.integers(len(longer))]
        at, kind = int(rng.integers(1, len(word) - 1)), rng.integers(3)
        middle = ("", word[at] * 2, word[at + 1] + word[at])[kind]
        wrong = word[:at] + middle + word[at + 1 + (kind == 2) :]
        if wrong not in known:
            known.add(wrong)
            found.append(wrong)
        if len(found) == count:
            break
    return found


def written(vocabulary, rule, dim, path):
    """Write a model of random rows for all words of a vocabulary."""
    words = vocabulary.words
    rng = np.random.default_rng(1)
    table = rng.standard_normal((len(words) + rule.buckets, dim), dtype=np.float32)
    output = np.zeros((len(words), dim), np.float32)
    counts = vocabulary.counts
    emb = firth.SubwordEmbedding(words, table, rule, counts, output=output, check=False)
    emb.write(path, format="fasttext-binary")


def unseen(path, words):
    """Return ways from unseen words to vectors, all with the same model."""
    emb = firth.read(path)
    wanted = emb[words]
    ways = {
        "firth, emb[words]": way(lambda: emb[words]),
        "firth, one by one": way(lambda: [emb[word] for word in words]),
    }
    _check_vectors("firth, one by one", np.stack([emb[word] for word in words[:100]]), wanted)
    if fasttext := imported("fasttext"):
        model = _opened(fasttext, path)
        found = np.stack([model.get_word_vector(word) for word in words])
        _check_vectors("fasttext, Python", found, wanted)
        ways["fasttext, Python"] = way(lambda: [model.get_word_vector(word) for word in words])
    if imported("gensim"):
        wv = imported("gensim.models.fasttext").load_facebook_vectors(str(path))
        _check_vectors("gensim", np.stack([wv[word] for word in words]), wanted)
        ways["gensim"] = way(lambda: [wv[word] for word in words])
    return ways


def _check_vectors(name, found, wanted):
    apart = float(np.abs(found - wanted[: len(found)]).max())
    if not apart <= 1e-6 * max(1.0, float(np.abs(wanted).max())):
        sys.exit(f"fasttext: vectors of {name} differ by {apart:.2g}")


# ---- training -----------------------------------------------------------------------------------


def training(path, rule, settings):
    """Return ways to train one epoch on a text that has been counted, and how many words it has.

    firth: all of `fit` on a Corpus that was read; to begin and to end are in it. gensim: `train`
    after `build_vocab`, where it has begun. "firth, epoch": the second of two epochs alone.
    """
    corpus = firth.Corpus.read(path, threads=1, min_count=settings["min_count"])
    ngrams = {"min_n": rule.min_n, "max_n": rule.max_n}

    def ours(epochs):
        return firth.FastText(**settings, **ngrams, buckets=rule.buckets, epochs=epochs, threads=1)

    def epoch():
        ends = []
        ours(2).fit(corpus, callback=lambda *_: ends.append(time.process_time()))
        return ends[1] - ends[0]

    ways = {"firth, fit": way(lambda: ours(1).fit(corpus)), "firth, epoch": epoch}
    if imported("gensim"):
        given = {name: value for name, value in settings.items() if name not in ("dim", "lr")}
        model = imported("gensim.models").FastText(
            vector_size=settings["dim"], alpha=settings["lr"], sg=1, workers=1, epochs=1,
            bucket=rule.buckets, **ngrams, **given
        )  # fmt: skip
        model.build_vocab(corpus_file=str(path))
        words = model.corpus_total_words
        ways["gensim, train"] = way(
            lambda: model.train(corpus_file=str(path), total_words=words, epochs=1)
        )
    return ways, len(corpus.ids)


def original(path, rule, settings):
    """Return the CPU seconds of one epoch by the original program, or None.

    It reads the text, begins, trains and writes in one run: this is a run of one epoch less a run
    of none.
    """
    name = program()
    if name is None:
        return None
    names = {"dim": "dim", "lr": "lr", "window": "ws", "negative": "neg", "sample": "t"}
    flags = [x for key, flag in names.items() for x in (f"-{flag}", str(settings[key]))]
    flags += ["-minCount", str(settings["min_count"]), "-minn", str(rule.min_n)]
    flags += ["-maxn", str(rule.max_n), "-bucket", str(rule.buckets), "-thread", "1"]
    spent = []
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        for epochs in ("0", "1"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [name, "skipgram", "-input", path, "-output", Path(folder, "model"), *flags,
                 "-epoch", epochs, "-verbose", "0"],
                check=True,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(
                sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
            )
    return spent[1] - spent[0]
