"""What a firth folder can hold, kind by kind: tensors, configuration, and the way back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from firth.classifier import Classifier
from firth.embedding import Embedding
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords

Tensors = dict[str, npt.NDArray[Any]]
Shapes = dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape by name
Config = Mapping[str, Any]
# Kinds of folders that hold no embedding, and what reads them.
COUNTS, LEARNER, RECOMMENDER = "counts", "learner", "recommender"
OTHERS = {
    COUNTS: "firth.Counts.load",
    LEARNER: "firth.Learner.load",
    RECOMMENDER: "firth.Recommender.load",
}


@dataclass(frozen=True)
class Kind:
    """A class of embeddings, and what its folders have besides keys, counts and metadata."""

    type: type[Embedding]
    # The tensors and the entries of the configuration that hold it.
    parts: Callable[[Any], tuple[Tensors, dict[str, Any]]]
    # What the tensors must be, given the configuration (keys and dim are sound) and those found;
    # ValueError or TypeError if the configuration says nothing that there could be.
    shapes: Callable[[Config, Tensors], Shapes]
    # The embedding of keys, tensors and configuration, its numbers not looked at.
    make: Callable[[list[str], Tensors, Config], Embedding]
    # The first rows, as a copy.
    cut: Callable[[Any, int], Embedding]


def kind_of(embedding: Embedding) -> str:
    """Return the name of the most special kind that an embedding is of."""
    return next(name for name in reversed(KINDS) if isinstance(embedding, KINDS[name].type))


def first_counts(embedding: Embedding, rows: int) -> npt.NDArray[np.int64] | None:
    """Return a copy of the counts of the first keys."""
    return None if embedding.counts is None else embedding.counts[:rows].copy()


# ---- plain vectors ------------------------------------------------------------------------------


def _parts(embedding: Embedding) -> tuple[Tensors, dict[str, Any]]:
    return {"vectors": embedding.vectors}, {}


def _shapes(config: Config, found: Tensors) -> Shapes:
    return {"vectors": ("float32", (config["keys"], config["dim"]))}


def _make(keys: list[str], tensors: Tensors, config: Config) -> Embedding:
    counts, metadata = tensors.get("counts"), config["metadata"]
    return Embedding(keys, tensors["vectors"], counts, metadata, check=False)


def _cut(embedding: Embedding, rows: int) -> Embedding:
    counts, vectors = first_counts(embedding, rows), embedding.vectors[:rows].copy()
    return Embedding(embedding.keys[:rows], vectors, counts, embedding.metadata)


# ---- vectors of n-grams -------------------------------------------------------------------------


def subword_parts(embedding: SubwordEmbedding) -> tuple[Tensors, dict[str, Any]]:
    """Return the tables that there are, and the rule."""
    tables = {
        "vectors": embedding.vectors,
        "input": embedding.input,
        "output": embedding.output,
        "kept": embedding.kept,
    }
    tensors = {name: table for name, table in tables.items() if table is not None}
    return tensors, {"rule": asdict(embedding.rule)}


def subword_shapes(config: Config, found: Tensors) -> Shapes:
    """Return the shapes that keys, dim and rule demand."""
    rule, keys, dim = rule_of(config), config["keys"], config["dim"]
    rows = rule.buckets + (keys if rule.words_have_rows else 0)
    if "kept" in found and "input" in found:
        rows = found["input"].shape[0] if found["input"].ndim else 0  # held against kept later
    shapes: Shapes = {**_shapes(config, found), "input": ("float32", (rows, dim))}
    if "output" in found:
        shapes["output"] = ("float32", (keys, dim))
    if "kept" in found:
        shapes["kept"] = ("int32", (rule.buckets,))
    return shapes


def rule_of(config: Config) -> Subwords:
    """Return the rule in a configuration, with all its settings and no others."""
    settings, known = config.get("rule"), asdict(Subwords())
    if not isinstance(settings, dict) or settings.keys() != known.keys():
        raise ValueError(f"rule {settings!r:.60} does not have {', '.join(known)}")
    return Subwords(**settings)


def _make_subword(keys: list[str], tensors: Tensors, config: Config) -> Embedding:
    tables: dict[str, Any] = {name: tensors.get(name) for name in ("output", "vectors", "kept")}
    counts, metadata = tensors.get("counts"), config["metadata"]
    rule = rule_of(config)
    return SubwordEmbedding(keys, tensors["input"], rule, counts, metadata, **tables, check=False)


def _cut_subword(embedding: SubwordEmbedding, rows: int) -> Embedding:
    keys, input, tables = _cut_tables(embedding, rows)
    output = embedding.output
    if rows < len(embedding):
        output = embedding.word_output  # a tree cannot be cut
    if output is not None:
        tables["output"] = output[:rows].copy()
    return SubwordEmbedding(
        keys, input, embedding.rule, metadata=embedding.metadata, check=False, **tables
    )


def _cut_tables(
    embedding: SubwordEmbedding, rows: int
) -> tuple[list[str], npt.NDArray[Any], dict[str, Any]]:
    """Return copies of what stands for the first keys: keys, input and the other tables."""
    input = embedding.input
    if embedding.rule.words_have_rows:
        rows = min(rows, len(embedding))
        input = np.concatenate([input[:rows], input[len(embedding) :]])
    else:
        input = input.copy()
    tables = {
        "counts": first_counts(embedding, rows),
        "vectors": embedding.vectors[:rows].copy(),
        "kept": None if embedding.kept is None else embedding.kept.copy(),
    }
    return embedding.keys[:rows], input, tables


# ---- classifiers --------------------------------------------------------------------------------


def _classifier_parts(model: Classifier) -> tuple[Tensors, dict[str, Any]]:
    tensors, entries = subword_parts(model)
    blobs = [label.encode("utf-8", "surrogatepass") for label in model.labels]
    tensors["labels"] = np.frombuffer(b"".join(blobs), np.uint8)
    tensors["label_offsets"] = np.cumsum([0, *map(len, blobs)]).astype(np.int64)
    if model.label_counts is not None:
        tensors["label_counts"] = model.label_counts
    settings = {"loss": model.loss, "word_ngrams": model.word_ngrams}
    return tensors, {**entries, **settings, "label_prefix": model.label_prefix}


def _classifier_shapes(config: Config, found: Tensors) -> Shapes:
    for name, type_ in (("loss", str), ("word_ngrams", int), ("label_prefix", str)):
        if type(config.get(name)) is not type_:
            raise ValueError(f"{name} {config.get(name)!r:.60} is no {type_.__name__}")
    labels = found["label_offsets"].size - 1 if "label_offsets" in found else 0
    shapes = {
        **subword_shapes(config, found),
        "output": ("float32", (labels, config["dim"])),
        "labels": ("uint8", (found["labels"].size if "labels" in found else 0,)),
        "label_offsets": ("int64", (labels + 1,)),
    }
    if "label_counts" in found:
        shapes["label_counts"] = ("int64", (labels,))
    return shapes


def _make_classifier(keys: list[str], tensors: Tensors, config: Config) -> Embedding:
    blob, offsets = tensors["labels"].tobytes(), tensors["label_offsets"]
    ends_fit = offsets.size > 0 and offsets[0] == 0 and offsets[-1] == len(blob)
    if not ends_fit or bool((offsets[1:] < offsets[:-1]).any()):
        raise ValueError(f"label_offsets do not rise from 0 to {len(blob)}")
    cuts = pairwise(offsets.tolist())
    labels = [blob[begin:end].decode("utf-8", "surrogatepass") for begin, end in cuts]
    names = ("counts", "label_counts", "vectors", "kept")
    rest: dict[str, Any] = {name: tensors.get(name) for name in names}
    for name in ("loss", "word_ngrams", "label_prefix", "metadata"):
        rest[name] = config[name]
    return Classifier(
        keys, tensors["input"], rule_of(config), tensors["output"], labels, check=False, **rest
    )


def _cut_classifier(model: Classifier, rows: int) -> Embedding:
    keys, input, tables = _cut_tables(model, rows)
    return Classifier(
        keys,
        input,
        model.rule,
        model.output.copy(),
        model.labels,
        loss=model.loss,
        word_ngrams=model.word_ngrams,
        label_prefix=model.label_prefix,
        label_counts=None if model.label_counts is None else model.label_counts.copy(),
        metadata=model.metadata,
        check=False,
        **tables,
    )


# Name in the configuration -> kind; special ones behind what they are a case of.
KINDS = {
    "embedding": Kind(Embedding, _parts, _shapes, _make, _cut),
    "subword-embedding": Kind(
        SubwordEmbedding, subword_parts, subword_shapes, _make_subword, _cut_subword
    ),
    "classifier": Kind(
        Classifier, _classifier_parts, _classifier_shapes, _make_classifier, _cut_classifier
    ),
}
