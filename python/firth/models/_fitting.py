"""What ``fit`` of the models of ``kernels.negative_sampling`` does, whatever words are made of."""

import operator
from dataclasses import asdict
from typing import Any

from firth._reading import AnyPath
from firth.corpus import Corpus
from firth.embedding import Embedding
from firth.models._beginning import Callback, Tables, check_arguments, corpus_of
from firth.models._checkpoint import Checkpoint
from firth.models._ending import stopped
from firth.models._fingerprint import fingerprint
from firth.models._training import Run

# Fields that change what words there are, or where and how fast the same is computed.
_FREE = ("min_count", "max_vocab", "threads", "device")


def fitted(
    model: Any,
    source: object,
    *,
    start: Embedding | None,
    checkpoint: AnyPath | None,
    every: int | None,
    progress: bool | None,
    callback: Callback | None,
) -> Embedding:
    """Return what a model learns; see `firth.Word2Vec.fit`."""
    name = type(model).__name__
    check_arguments(name, model.dim, start, callback)
    model._check_start(start)
    every = checked_every(name, checkpoint, every)
    settings = {**asdict(model), "lr": model._first_lr}
    saved = None
    if checkpoint is not None:
        kept = {field: value for field, value in settings.items() if field not in _FREE}
        saved = Checkpoint.of(checkpoint, name, kept, model.epochs)
    corpus = corpus_of(model, source, progress)
    words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
    tables = model._tables(words, start)
    run = Run.of(model, corpus, tables)
    losses: list[float] = []
    if saved is not None:
        expect(saved, run, tables, start)
        losses = saved.restore(input=tables.input, output=tables.output)

    def result() -> Embedding:
        metadata = {"model": name, **settings, "tokens": len(corpus.ids), "losses": losses}
        embedding: Embedding = model._result(tables, words, counts, metadata)
        return embedding

    try:
        run.train(tables, losses, saved=saved, every=every, progress=progress, callback=callback)
    except KeyboardInterrupt as stop:
        stopped(stop, result, tables.input, tables.output)
        raise
    run.expect_pairs(losses)
    return result()


def checked_every(model: str, checkpoint: object, every: object) -> int | None:
    """Return how many words lie between two checkpoints, or say what is wrong with it."""
    if every is None:
        return None
    try:
        if isinstance(every, bool):
            raise TypeError
        number = operator.index(every)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{model}: every={every!r} is not a whole number") from None
    if not 1 <= number < 2**62:
        raise ValueError(f"{model}: every={number} is not between 1 and {2**62 - 1}")
    if checkpoint is None:
        raise ValueError(f"{model}: every={number} needs checkpoint, a folder to save to")
    return number


def expect(saved: Checkpoint, run: Run, tables: Tables, start: Embedding | None) -> None:
    """Raise ValueError unless the same text is trained on in the same way from the same start.

    The fingerprints cover every word with its count, every id and where sentences end; they take
    about a second a GB.
    """
    corpus: Corpus = run.corpus
    plan = {name: getattr(run.plan, name) for name in ("block", "shared", "piece", "round")}
    began = None
    if start is not None:
        tried = (tables.input, tables.output, tables.whole)
        began = fingerprint(*(table for table in tried if table is not None))
    saved.expect(
        **plan,
        words=fingerprint(corpus.vocabulary.words, corpus.vocabulary.counts),
        text=fingerprint(corpus.ids, corpus.offsets),
        start=began,
    )
