"""Counting a corpus under a bar: what `Counts` and the models that count for themselves share."""

from typing import Any

import numpy.typing as npt

from firth import kernels
from firth._progress import Progress
from firth._reading import AnyPath
from firth.corpus import Corpus
from firth.csr import CSR

RULE = ("window", "weights", "symmetric", "sentences")  # by which company is counted


def counted(
    corpus: Corpus,
    rule: dict[str, Any],
    *,
    dtype: npt.DTypeLike,
    memory: int | str | None,
    folder: AnyPath | None = None,
    threads: int | None,
    progress: bool | None,
) -> CSR:
    """Return who stands beside whom by a rule; see `firth.kernels.cooccurrence`."""
    rule = dict(rule)
    offsets = corpus.offsets if rule.pop("sentences") else None
    tokens, told = len(corpus.ids), 0
    with Progress(progress, tokens, "counting", "words") as bar:

        def tell(done: int) -> None:
            nonlocal told
            bar.update(done - told)
            told = done

        matrix = kernels.cooccurrence(
            corpus.ids,
            offsets,
            words=len(corpus.vocabulary),
            **rule,
            dtype=dtype,
            memory=memory,
            folder=folder,
            threads=threads,
            progress=tell if bar.enabled else None,
        )
        bar.update(tokens - told)
    return matrix
