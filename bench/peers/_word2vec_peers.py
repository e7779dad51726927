"""Who is measured by word2vec.py and word2vec_frontier.py: firth, gensim and programs.

Each trains with one thread: `epoch` returns the CPU seconds that one epoch takes, `trained` the
vectors of all epochs.
"""

import itertools
import os
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from _measure import imported, run

import firth

SETTINGS = {"window": 5, "negative": 5, "sample": 1e-3, "min_count": 5}
PAIRS = {"WordSim-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
FREQUENT = 100  # words whose similarities are looked at before anything is timed
ENOUGH = 1_000_000  # words, those of all epochs, that they are learnt from
ALIKE = 0.25  # the least correlation of those similarities with firth's


@dataclass(frozen=True)
class Job:
    """A text, and a folder for what is made of it."""

    text: Path
    folder: Path

    @cached_property
    def corpus(self):
        """The text as firth reads it."""
        return firth.Corpus.read(self.text, threads=1, min_count=SETTINGS["min_count"])

    def beginning_at(self, seed):
        """Return a text that begins elsewhere, and ends with what stood before.

        Programs that take no seed draw the same in every run; so other words get each draw.
        """
        if seed == 1:
            return self.text
        path = self.folder / f"seed-{seed}.txt"
        if not path.exists():
            lines = self.text.read_bytes().splitlines(keepends=True)
            first = (seed - 1) * 997 % len(lines)
            path.write_bytes(b"".join(lines[first:] + lines[:first]))
        return path


@dataclass(frozen=True)
class Lesson:
    """The settings that vary."""

    dim: int = 100
    cbow: bool = False
    negative: int = 5
    epochs: int = 5
    seed: int = 1

    @property
    def lr(self):
        """Where the learning rate begins, as in the original word2vec."""
        return 0.05 if self.cbow else 0.025

    def __str__(self):
        return f"{'cbow' if self.cbow else 'skip-gram'} {self.dim}"


class Firth:
    """firth itself, with more arguments of its own."""

    def __init__(self, **given):
        self._given = given
        self.name = " ".join(["firth", *map(str, given.values())])

    def model(self, lesson, epochs):
        """Return the model."""
        settings = SETTINGS | {"negative": lesson.negative, "lr": lesson.lr}
        return firth.Word2Vec(
            dim=lesson.dim, cbow=lesson.cbow, epochs=epochs, seed=lesson.seed, threads=1,
            **settings, **self._given,
        )  # fmt: skip

    def epoch(self, job, lesson):
        """Time the second of two epochs: what is done once, before and after, is left out."""
        ends = []
        self.model(lesson, 2).fit(job.corpus, callback=lambda *_: ends.append(time.process_time()))
        return ends[1] - ends[0]

    def trained(self, job, lesson):
        """Return vectors."""
        return self.model(lesson, lesson.epochs).fit(job.corpus)


class Gensim:
    """gensim, on a text that it reads line by line."""

    name = "gensim"

    def model(self, lesson, epochs):
        """Return the model."""
        settings = SETTINGS | {"negative": lesson.negative, "alpha": lesson.lr}
        return imported("gensim.models").Word2Vec(
            vector_size=lesson.dim, sg=not lesson.cbow, epochs=epochs, seed=lesson.seed, workers=1,
            **settings,
        )  # fmt: skip

    def _counted(self, job, lesson, epochs):
        model = self.model(lesson, epochs)
        model.build_vocab(corpus_file=str(job.text))
        return model

    def _train(self, model, job, epochs):
        words = model.corpus_total_words
        model.train(corpus_file=str(job.text), total_words=words, epochs=epochs)

    def epoch(self, job, lesson):
        """Time one epoch, after the words have been counted."""
        model = self._counted(job, lesson, 1)
        start = time.process_time()
        self._train(model, job, 1)
        return time.process_time() - start

    def trained(self, job, lesson):
        """Return vectors."""
        model = self._counted(job, lesson, lesson.epochs)
        self._train(model, job, lesson.epochs)
        return firth.Embedding(model.wv.index_to_key, model.wv.vectors)


class Program:
    """A program with the flags of word2vec.c, those that are its own added."""

    format = "word2vec-binary"
    suffix = ""
    flags = ("size", "window", "negative", "sample", "min-count", "iter", "alpha")

    def __init__(self, name, path, *own, cbow=False, epochs=2):
        self.name, self.cbow, self._epochs = name, cbow, epochs
        self._path, self._own = Path(path).absolute(), own
        if not self._path.is_file():
            sys.exit(f"word2vec: there is no program {path}")

    def _command(self, job, lesson, epochs):
        window, sample, least = (SETTINGS[name] for name in ("window", "sample", "min_count"))
        values = (lesson.dim, window, lesson.negative, sample, least, epochs, lesson.lr)
        flags = zip((f"-{flag}" for flag in self.flags), values, strict=True)
        return [self._path, *self._first(job, lesson), *itertools.chain(*flags), *self._own]

    def _first(self, job, lesson):
        kind = ("-cbow", int(lesson.cbow), "-hs", 0) if self.cbow else ()
        text = job.beginning_at(lesson.seed)
        files = ("-train", text, "-output", job.folder / self.name)
        return [*files, *kind, "-binary", 1, "-threads", 1, "-debug", 0]

    def epoch(self, job, lesson):
        """Time an epoch: a run of several less a run of one, for it also reads, begins and writes.

        Where an epoch is short beside all that, several are needed to see it.
        """
        one, several = (
            run(self._command(job, lesson, epochs), job.folder).cpu for epochs in (1, self._epochs)
        )
        return (several - one) / (self._epochs - 1)

    def trained(self, job, lesson):
        """Return vectors; the line's end, which is a word to these programs, is left out."""
        run(self._command(job, lesson, lesson.epochs), job.folder)
        emb = firth.read(job.folder / f"{self.name}{self.suffix}", format=self.format)
        kept = [i for i, word in enumerate(emb.keys) if word != "</s>"]
        return firth.Embedding([emb.keys[i] for i in kept], np.asarray(emb.vectors)[kept])


class FastText(Program):
    """The program of fastText; its words have no n-grams here."""

    format = "word2vec-text"
    suffix = ".vec"
    flags = ("dim", "ws", "neg", "t", "minCount", "epoch", "lr")

    def _first(self, job, lesson):
        files = ("-input", job.text, "-output", job.folder / self.name)
        plain = ("-minn", 0, "-maxn", 0, "-seed", lesson.seed, "-thread", 1, "-verbose", 0)
        return ["cbow" if lesson.cbow else "skipgram", *files, *plain]


def add_arguments(parser):
    """Let the command line name programs."""
    for name in ("word2vec", "pword2vec", "psgnscc", "fasttext"):
        parser.add_argument(f"--{name}", metavar="PROGRAM", help="a peer that was built")
    parser.add_argument("--core", type=int, help="run on this one; default: the last allowed")


def pin(core):
    """Run on one core, and programs too; return those that were allowed."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores) if core is None else core})
    firth.set_num_threads(1)
    return cores


def peers(options, cbow=False):
    """Return the peers that are there."""
    found = [Gensim()] if imported("gensim") else []
    if options.word2vec:
        found.append(Program("word2vec.c", options.word2vec, cbow=True))
    batch = ("-batch-size", 2 * SETTINGS["window"] + 1)
    if options.pword2vec and not cbow:
        found.append(Program("pWord2Vec", options.pword2vec, *batch, epochs=5))
    if options.psgnscc and not cbow:
        found.append(Program("pSGNScc", options.psgnscc, *batch, epochs=5))
    if options.fasttext:
        found.append(FastText("fastText", options.fasttext, cbow=True))
    return found


def check(trainers, job, lesson):
    """Leave if somebody's vectors are not those of all words, finite and about as similar.

    Similarities are cosines of the most frequent words, and correlated with those of the first.
    """
    words, wanted = job.corpus.vocabulary.words, None
    epochs = min(5, -(-ENOUGH // len(job.corpus.ids)))
    lesson = Lesson(**vars(lesson) | {"epochs": epochs})
    for trainer in trainers:
        emb = trainer.trained(job, lesson)
        if len(emb) != len(words) or any(word not in emb for word in words):
            sys.exit(f"word2vec: {trainer.name} has other words than firth")
        vectors = np.stack([emb[word] for word in words])
        if vectors.shape != (len(words), lesson.dim) or not np.isfinite(vectors).all():
            sys.exit(f"word2vec: vectors of {trainer.name} are not {lesson.dim} finite numbers")
        found = cosines(vectors[:FREQUENT])
        wanted = found if wanted is None else wanted
        alike = float(np.corrcoef(found, wanted)[0, 1])
        if not alike >= ALIKE:
            sys.exit(f"word2vec: similarities of {trainer.name} correlate by {alike:.2f} only")


def cosines(rows):
    """Return the cosine of each pair of rows, once."""
    rows = rows.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


def scores(emb, folder):
    """Return how well vectors do on word pairs and on analogies of the 30 000 frequent words."""
    found = {
        name: firth.evaluate.word_pairs(emb, folder / "wordsim" / file).spearman
        for name, file in PAIRS.items()
    }
    questions = folder / "analogy" / "questions-words.txt"
    return {**found, "analogies": firth.evaluate.analogies(emb, questions, threads=1).accuracy}


def means(rows):
    """Return the mean of each score."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
