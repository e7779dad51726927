"""Half an hour of everything in one process: learn, ask, save, load, and load what is damaged.

Memory, open files and threads are looked at behind each cycle of all that, and have to stay flat:
memory by the slope of a line of least squares behind the warm-up, the others by their greatest
number. Every answer is held against that of the first cycle.
"""

import argparse
import ctypes
import gc
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import firth
from firth import evaluate, kernels
from trust import _running as running
from trust._report import Row, save

MEGABYTES_AN_HOUR = 8.0  # more than that, beyond twice its standard error, is a leak,
NOISE = 4.0  # unless the line rises by fewer megabytes: the allocator gives pages back or does not
WARM_UP = 0.25  # of the time: pools, caches and the allocator's arenas fill
DAMAGED = 40  # loads of damaged files in each cycle, for each kind of file

Round = Callable[[], object]


class Cycle:
    """One of everything; each method returns something that must not change from cycle to cycle."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.lines = running.words(20_000)
        self.text = folder / "text.txt"
        self.text.write_text("\n".join(self.lines))
        self.graph = running.graph_of(400, 3000, weighted=True)
        self.met = running.interactions_of(200, 100, 10)
        self.failed_loads = 0

    def rounds(self) -> list[Round]:
        """Return what a cycle is made of."""
        models = self.word2vec, self.fasttext, self.classifier, self.glove, self.ppmi
        nodes = self.deepwalk, self.line, self.fastrp
        taste = self.ranked, self.closed
        return [*models, *nodes, *taste, self.corpora, self.counts, self.learner, self.arrays]

    # ---- text -----------------------------------------------------------------------------------

    def word2vec(self) -> object:
        model = firth.Word2Vec(dim=32, epochs=1, threads=2, deterministic=True)
        emb = model.fit(self.text, checkpoint=self.folder / "checkpoint", every=8000)
        self.asked(emb.prepare())
        for name in ("firth", "word2vec-text", "word2vec-binary", "glove-text"):
            self.saved(name, lambda path, name=name: emb.write(path, format=name), firth.read)
        self.stopped(model)
        return emb.vectors.tobytes(), evaluate.word_pairs(emb, [("one", "two", 9), ("a", "in", 1)])

    def stopped(self, model: firth.Word2Vec) -> None:
        """Fail within a training: in its callback, and in what it reads."""

        def never(*_: object) -> None:
            raise ArithmeticError

        def broken() -> object:
            yield from self.lines[:50]
            raise ArithmeticError

        for source, callback in ((self.lines, never), (broken(), None)):
            try:
                model.fit(source, callback=callback)
            except ArithmeticError:
                continue
            raise AssertionError("an exception of the caller was lost")

    def fasttext(self) -> object:
        model = firth.FastText(
            dim=16, epochs=1, buckets=2000, threads=2, deterministic=True, quality="fast"
        )
        emb = model.fit(self.lines)
        self.asked(emb)
        unseen = emb[["unseeable", "wordlessly"]]
        for name in ("firth", "fasttext-binary"):
            self.saved(name, lambda path, name=name: emb.write(path, format=name), firth.read)
        return emb.input.tobytes(), unseen.tobytes()

    def classifier(self) -> object:
        lines = running.labelled(self.lines)
        model = firth.FastTextClassifier(
            dim=8, epochs=1, buckets=1000, min_n=2, max_n=3, threads=2, deterministic=True
        )
        emb = model.fit(lines)
        path = self.saved("fasttext-binary", lambda p: emb.write(p, format="fasttext-binary"))
        firth.read(path).predict(self.lines[:20], k=2)
        self.saved("firth", emb.save, firth.load)
        return emb.output.tobytes(), str(emb.test(lines[:100]))

    def glove(self) -> object:
        emb = firth.GloVe(dim=8, epochs=2, window=4, threads=1).fit(self.lines)
        self.asked(emb)
        return emb.vectors.tobytes()

    def ppmi(self) -> object:
        emb = firth.PPMI(dim=8, window=4, memory="5 MB", threads=2).fit(self.text)
        self.asked(emb)
        return emb.keys

    def corpora(self) -> object:
        corpus = firth.Corpus.read(self.text, memory=20_000, folder=self.folder, threads=2)
        path = self.saved("corpus", corpus.save, firth.Corpus.load)
        again = firth.Corpus.load(path, mmap=False)
        self.saved("words", corpus.vocabulary.save, firth.Vocabulary.load)
        return again.ids.tobytes(), corpus.sentence(5)

    def counts(self) -> object:
        counts = firth.Counts.of(self.text, window=5, memory="5 MB", folder=self.folder, threads=2)
        self.saved("counts", counts.save, firth.Counts.load)
        words = counts.vocabulary
        self.saved("glove", counts.write_glove, lambda path: firth.Counts.read_glove(path, words))
        merged = counts.merge(counts)
        return merged.sums.data.tobytes(), counts.ppmi().nnz, counts.collocations(5)

    def learner(self) -> object:
        learner = firth.Word2Vec(dim=8, epochs=1, threads=1, min_count=2).learner()
        learner.partial_fit(self.lines[:300]).partial_fit(self.lines[300:600])
        path = self.saved("learner", learner.save, firth.Learner.load)
        firth.Learner.load(path).partial_fit(self.lines[:100])
        return learner.embedding.vectors.tobytes()

    # ---- graphs and interactions ----------------------------------------------------------------

    def deepwalk(self) -> object:
        emb = firth.DeepWalk(dim=8, walks=1, length=20, threads=2, deterministic=True).fit(
            self.graph
        )
        split = evaluate.split_links(self.graph)
        evaluate.link_ranking(emb, split, threads=2)
        evaluate.predict_links(emb, self.graph, 5, threads=2)
        path = self.folder / "edges.txt"
        path.write_text("\n".join(f"{a} {b}" for a, b in self.graph.pairs().tolist()))
        return emb.vectors.tobytes(), repr(firth.Graph.read(path))

    def line(self) -> object:
        return firth.LINE(dim=8, samples=20, threads=1).fit(self.graph).vectors.tobytes()

    def fastrp(self) -> object:
        emb = firth.FastRP(dim=8).fit(self.graph)
        return np.isfinite(emb.vectors).all()

    def ranked(self) -> object:
        found = []
        for model in (firth.BPR, firth.WARP, firth.LightGCN):
            rec = model(dim=8, epochs=2, threads=1).fit(self.met)
            path = self.saved("recommender", rec.save, firth.Recommender.load)
            again = firth.Recommender.load(path)
            ids, _ = again.recommend(rec.users, 5, threads=1)
            again.fold_in(rec.items[:3])
            again.similar_items(rec.items[0], 3)
            found.append(ids.tobytes())
        return found

    def closed(self) -> object:
        train, test = self.met.split(leave=1)
        rec = firth.EASE(reg=10).fit(train)
        self.saved("items", rec.save, firth.Recommender.load)
        return evaluate.recommendation(rec, test, 5)

    # ---- arrays ---------------------------------------------------------------------------------

    def arrays(self) -> object:
        vectors = np.random.default_rng(1).standard_normal((2000, 24)).astype(np.float32)
        prepared = kernels.prepare(vectors, threads=2)
        ids, _ = kernels.topk(vectors[:100], prepared, 5, threads=2)
        self.saved("prepared", prepared.save, kernels.Prepared.load)
        means = kernels.subword_means(["some", "words"], vectors, buckets=2000)
        return ids.tobytes(), means.tobytes()

    # ---- what all of them do --------------------------------------------------------------------

    def asked(self, emb: firth.Embedding) -> None:
        keys = emb.keys
        emb.nearest(keys[:50], k=5, threads=2)
        emb.most_similar(keys[0], k=3)
        emb.analogy(*keys[:3])
        for wrong in (lambda: emb.nearest(keys[:5], k=0), lambda: emb.nearest([[float("nan")]])):
            try:
                wrong()
            except ValueError:
                continue
            raise AssertionError("a wrong question was answered")

    def saved(
        self, name: str, write: Callable[[Path], None], load: Callable[[Path], object] | None = None
    ) -> Path:
        """Save over what was saved before, load it, and load damaged copies of it."""
        path = self.folder / name
        write(path)
        if load is not None:
            load(path)
            for _ in range(DAMAGED):
                self.damaged(path, load)
        return path

    def damaged(self, path: Path, load: Callable[[Path], object]) -> None:
        copy = self.folder / "damaged"
        if path.is_dir():
            shutil.copytree(path, copy)
            files = sorted(file for file in copy.rglob("*") if file.is_file())
            file = self.rng.choice(files)
        else:
            file = Path(shutil.copy(path, copy))
        size = file.stat().st_size
        with file.open("r+b") as damaged:
            if self.rng.random() < 0.5:
                damaged.truncate(self.rng.randrange(size))
            else:
                at = self.rng.randrange(min(size, 4000))
                damaged.seek(at)
                damaged.write(self.rng.randbytes(self.rng.choice((1, 2, 8))))
        try:
            load(copy)  # what has no checksum may be read otherwise
        except (firth.FormatError, OSError):
            self.failed_loads += 1
        finally:
            if copy.is_dir():
                shutil.rmtree(copy)
            else:
                copy.unlink(missing_ok=True)


def slope(samples: list[tuple[float, int]]) -> tuple[float, float]:
    """Return how many bytes a second a line of least squares rises, and its standard error."""
    time_of, bytes_of = np.array(samples, np.float64).T
    time_of -= time_of.mean()
    rise = float(time_of @ bytes_of / (time_of @ time_of))
    left = bytes_of - bytes_of.mean() - rise * time_of
    error = float(np.sqrt(left @ left / (len(samples) - 2) / (time_of @ time_of)))
    return rise, error


def run(minutes: float, seed: int) -> tuple[list[Row], list[tuple[float, ...]]]:
    """Run cycles for so many minutes, at least six."""
    firsts: dict[str, object] = {}
    wrong: list[str] = []
    samples: list[tuple[float, ...]] = []
    start, done = time.monotonic(), 0
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)  # glibc has it
    with tempfile.TemporaryDirectory() as folder:
        cycle = Cycle(Path(folder), random.Random(seed))
        while time.monotonic() - start < 60 * minutes or len(samples) < 6:
            for each in cycle.rounds():
                name = each.__name__
                try:
                    answer = each()
                except Exception as error:
                    wrong.append(f"cycle {len(samples)}, {name}: {error!r:.150}")
                    continue
                if firsts.setdefault(name, answer) != answer:
                    wrong.append(f"cycle {len(samples)}, {name}: another answer than at first")
                done += 1
            left = sorted(path.name for path in Path(folder).iterdir())
            if firsts.setdefault("left", left) != left:
                wrong.append(f"cycle {len(samples)}: files are left: {left}")
            gc.collect()
            trim(0)  # pages that the allocator keeps for later are no leak, and come and go
            seconds = time.monotonic() - start
            samples.append((seconds, *running.resident(), running.open_files(), running.threads()))
            if len(samples) % 10 == 1:
                print(f"{seconds:6.0f} s, {samples[-1][2] >> 20} MB", file=sys.stderr, flush=True)
    rounds = Row("soak: rounds of train, query, save, load", done, "rounds", wrong)
    damaged = Row("soak: loads of damaged files that failed", cycle.failed_loads, "loads")
    return [rounds, damaged, *flat(samples)], samples


def flat(samples: list[tuple[float, ...]]) -> list[Row]:
    """Return the rows that say whether what the process holds has stayed as it was."""
    begin = min(int(len(samples) * WARM_UP), len(samples) - 4)
    kept = samples[begin:]
    rows = []
    for column, what in ((1, "resident memory"), (2, "anonymous memory")):
        rise, error = (part * 3600 / 1e6 for part in slope([(s[0], s[column]) for s in kept]))
        most = max(s[column] for s in kept) / 1e6
        figure = f"{rise:+.2f} +- {error:.2f} MB/h, {most:.0f} MB at most"
        risen = rise * (kept[-1][0] - kept[0][0]) / 3600
        leaks = risen > NOISE and rise - 2 * error > MEGABYTES_AN_HOUR
        failed = [f"{what} rises: {figure}"] if leaks else []
        rows.append(Row(f"soak: {what}", len(kept), "samples", failed, figure))
    for column, what in ((3, "open files"), (4, "threads")):
        least, most = min(s[column] for s in kept), max(s[column] for s in kept)
        failed = [f"{least} to {most} {what}"] if least != most else []
        rows.append(Row(f"soak: {what}", len(kept), "samples", failed, f"{least} to {most}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=Path, help="write what was measured as CSV")
    options = parser.parse_args()
    start = time.monotonic()
    rows, samples = run(options.minutes, options.seed)
    if options.samples:
        head = "seconds,resident,anonymous,files,threads"
        np.savetxt(options.samples, samples, "%.1f", ",", header=head, comments="")
    save("soak", rows, time.monotonic() - start)


if __name__ == "__main__":
    main()
