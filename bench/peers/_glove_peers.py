"""Who is measured by glove.py: firth, SciPy and the programs of GloVe's authors.

Counts are a matrix of words by words; here they are (rows, columns, values), sorted.
"""

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from _measure import imported, run

import firth

NEAR = 1e-6  # sums in float64 of rounded weights, against exact ones
RECORD = np.dtype([("row", np.int32), ("column", np.int32), ("count", np.float64)])


@dataclass(frozen=True)
class Job:
    """A text, its settings, and a folder for what is made of it."""

    text: Path
    corpus: firth.Corpus
    folder: Path
    window: int

    @property
    def words(self):
        """How many words there are."""
        return len(self.corpus.vocabulary)


def entries(counts):
    """Return (rows, columns, values) of a firth.CSR or a SciPy csr_array."""
    rows = np.repeat(np.arange(len(counts.indptr) - 1, dtype=np.int32), np.diff(counts.indptr))
    return rows, counts.indices, counts.data


def check(name, found, wanted):
    """Leave if counts are not those wanted."""
    if len(found[0]) != len(wanted[0]):
        sys.exit(f"glove: {name} has {len(found[0])} entries, firth {len(wanted[0])}")
    if any((mine != theirs).any() for mine, theirs in zip(found[:2], wanted[:2], strict=True)):
        sys.exit(f"glove: {name} has entries elsewhere than firth")
    apart = float(np.abs(found[2] / wanted[2] - 1).max())
    if not apart <= NEAR:
        sys.exit(f"glove: a count of {name} differs by {apart:.2g} of it")


# ---- firth --------------------------------------------------------------------------------------


def counted(job, threads=1, **given):
    """Return the counts of a corpus that has been read."""
    corpus = job.corpus
    return firth.kernels.cooccurrence(
        corpus.ids, corpus.offsets, words=job.words, window=job.window, threads=threads, **given
    )


def to_disk(job):
    """Go from the text to counts on the disk."""
    firth.Counts.of(job.text, window=job.window, threads=1).save(job.folder / "counts.firth")


def trained(source, settings, seed=1, threads=1):
    """Return an embedding, and by two clocks when it began, each epoch ended and it was there."""
    ticks = [(time.process_time(), time.perf_counter())]

    def tick(*_):
        ticks.append((time.process_time(), time.perf_counter()))

    emb = firth.GloVe(**settings, seed=seed, threads=threads).fit(source, callback=tick)
    tick()
    return emb, np.array(ticks)


# ---- SciPy --------------------------------------------------------------------------------------


def by_scipy(job):
    """Return the same counts by SciPy: a sparse matrix for each distance, added up."""
    sparse = imported("scipy.sparse")
    ids, offsets = job.corpus.ids.astype(np.int32), job.corpus.offsets
    sentence = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    shape = (job.words, job.words)
    total = sparse.csr_array(shape)
    for d in range(1, job.window + 1):
        rows, columns = ids[:-d], ids[d:]
        if len(offsets) > 2:
            together = sentence[:-d] == sentence[d:]
            rows, columns = rows[together], columns[together]
        pairs = sparse.coo_array((np.full(len(rows), 1 / d), (rows, columns)), shape=shape)
        total = total + pairs.tocsr()
    both = (total + total.T.tocsr()).tocsr()
    both.sort_indices()
    return both


# ---- the programs of GloVe's authors ------------------------------------------------------------


class Stanford:
    """Programs in a folder, run on a text in another."""

    def __init__(self, programs, job):
        self.job = job
        self.vocabulary, self.counts = job.folder / "vocab.txt", job.folder / "counts.bin"
        self.shuffled = job.folder / "shuffled.bin"
        self._run = partial(run, folder=job.folder)
        self._at = Path(programs).absolute()

    def vocab_count(self):
        """Count the words."""
        command = [self._at / "vocab_count", "-min-count", 5, "-verbose", 0]
        return self._run(command, source=self.job.text, target=self.vocabulary)

    def cooccur(self):
        """Count their company."""
        command = [self._at / "cooccur", "-memory", 4, "-window-size", self.job.window]
        command += ["-vocab-file", self.vocabulary, "-verbose", 0]
        return self._run(command, source=self.job.text, target=self.counts)

    def shuffle(self):
        """Bring the counts into an order of chance."""
        command = [self._at / "shuffle", "-memory", 4, "-verbose", 0, "-seed", 1]
        return self._run(command, source=self.counts, target=self.shuffled)

    def glove(self, settings, epochs, seed=1, threads=1):
        """Train so many epochs, which may be none, and write vectors as text."""
        command = [self._at / "glove", "-save-file", self.job.folder / f"v{seed}"]
        command += ["-input-file", self.shuffled, "-vocab-file", self.vocabulary]
        command += ["-vector-size", settings["dim"], "-x-max", settings["x_max"]]
        command += ["-alpha", settings["alpha"], "-eta", settings["lr"], "-iter", epochs]
        command += ["-binary", 0, "-threads", threads, "-seed", seed, "-verbose", 0]
        return self._run(command)

    def timed(self, settings, epochs, threads):
        """Return what each step took, and an epoch, as arrays of CPU seconds and wall seconds."""
        steps = {
            "vocab_count": self.vocab_count(),
            "cooccur": self.cooccur(),
            "shuffle": self.shuffle(),
            "glove, no epoch": self.glove(settings, 0, threads=threads),
        }
        whole = self.glove(settings, epochs, threads=threads)
        found = {name: np.array([step.cpu, step.wall]) for name, step in steps.items()}
        epoch = (np.array([whole.cpu, whole.wall]) - found["glove, no epoch"]) / epochs
        return found, epoch

    def entries(self):
        """Return what `cooccur` wrote, with firth's numbers of the words."""
        lines = self.vocabulary.read_bytes().splitlines()
        words = [line.split()[0].decode("utf-8", "surrogateescape") for line in lines]
        index = self.job.corpus.vocabulary.index
        if len(words) != len(index) or any(word not in index for word in words):
            sys.exit("glove: the programs find other words than firth")
        ids = np.array([index[word] for word in words], np.int64)
        records = np.memmap(self.counts, RECORD, mode="r")
        rows, columns = ids[records["row"] - 1], ids[records["column"] - 1]
        keys = rows * len(words) + columns
        order = slice(None) if (np.diff(keys) > 0).all() else np.argsort(keys)
        return rows[order], columns[order], records["count"][order]


def opened(path):
    """Return vectors that were trained; the programs' vector of all other words is left out."""
    emb = firth.load(path) if Path(path).is_dir() else firth.read(path, format="glove-text")
    if "<unk>" not in emb:
        return emb
    kept = [i for i, word in enumerate(emb.keys) if word != "<unk>"]
    return firth.Embedding([emb.keys[i] for i in kept], np.ascontiguousarray(emb.vectors[kept]))
