"""The firth folder of a learner: all that it goes on from.

Tensors: ``input`` float32 (rows, dim) and ``output`` float32 (words, dim), as they are trained;
``counts`` int64 (keys,), how often each key was seen, and the keys: first the words that have rows,
then those that are still too rare. With n-grams ``places`` int64 (rows,) says which rows of the
whole table those of the input are. The model with its settings, the number of words, tokens and
passes and the losses stand in the configuration.
"""

import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firth import kernels
from firth._errors import FormatError
from firth._reading import AnyPath
from firth._vectors import first_not_finite
from firth.formats import firth
from firth.formats.kinds import LEARNER, Config, Shapes, Tensors
from firth.models._beginning import Tables
from firth.models.fasttext import FastText
from firth.models.item2vec import ItemToVec
from firth.models.word2vec import Word2Vec

if TYPE_CHECKING:
    from firth.learner import Learnt

_MODELS = {"Word2Vec": Word2Vec, "FastText": FastText, "ItemToVec": ItemToVec}
_NUMBERS = ("words", "tokens", "epochs")
_LARGE = 1e30  # below that no sum of a word's rows is infinite


def write(model: Word2Vec, learnt: "Learnt", path: AnyPath) -> None:
    """Write a folder that replaces what firth has written there before, atomically."""
    rare = np.fromiter(learnt.rare.values(), np.int64, len(learnt.rare))
    tensors: Tensors = {"counts": np.concatenate([learnt.counts, rare])}
    if learnt.tables is not None:
        input, output, _, _, places = learnt.tables
        tensors |= {"input": input, "output": output}
        if places is not None:
            tensors["places"] = places
    entries = {
        "model": type(model).__name__,
        "settings": asdict(model),
        "words": len(learnt.words),
        "tokens": learnt.tokens,
        "epochs": learnt.epochs,
        "losses": learnt.losses,
    }
    firth.write_folder(path, LEARNER, [*learnt.words, *learnt.rare], tensors, entries)


def load(path: AnyPath) -> tuple[Word2Vec, "Learnt"]:
    """Load a folder; see `firth.Learner.load`."""
    return firth.read_folder(path, _made, mmap=True, verify=True)


def _made(file: Path, config: Config, tensors: Tensors) -> tuple[Word2Vec, "Learnt"]:
    from firth.learner import Learnt

    found = (config.get("version"), config.get("kind"))
    if found != (firth.VERSION, LEARNER):
        expected = f"version {firth.VERSION} of a learner"
        what = f"version {found[0]!r} of kind {found[1]!r}"
        raise FormatError(file.with_name(firth.CONFIG), "version", expected, what)
    model = _model(file, config)
    for name in ("keys", *_NUMBERS):
        number = config.get(name)
        if type(number) is not int or not 0 <= number < 2**62:
            raise FormatError(file, "configuration", name, f"{number!r:.40}")
    keys, words, losses = config["keys"], config["words"], config.get("losses", ())
    sound = isinstance(losses, list) and all(
        type(loss) is float and math.isfinite(loss) for loss in losses
    )
    if not sound or words > keys or config["epochs"] >= 2**32:
        raise FormatError(file, "configuration", "losses, and numbers that fit", "others")
    _check_tensors(file, model, tensors, keys, words)
    names, counts = firth.keys_of(file, tensors), tensors["counts"]
    if len(set(names)) != keys or (keys and int(counts.min()) < 1):
        raise FormatError(file, "keys", "different ones with counts", "others")
    tables = _tables(file, model, tensors, names[:words]) if words else None
    rare = dict(zip(names[words:], counts[words:].tolist(), strict=True))
    past = config["epochs"], list(losses), config["tokens"]
    return model, Learnt(names[:words], counts[:words].copy(), rare, tables, *past)


def _model(file: Path, config: Config) -> Word2Vec:
    """Return the model of a configuration."""
    name, settings = config.get("model"), config.get("settings")
    if not isinstance(name, str) or name not in _MODELS:
        expected = " or ".join(_MODELS)
        raise FormatError(file, "model", expected, f"{name!r:.40}")
    kind = _MODELS[name]
    if not isinstance(settings, dict) or settings.keys() != {one.name for one in fields(kind)}:
        raise FormatError(file, "settings", f"those of {name}", f"{settings!r:.60}")
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise FormatError(file, "settings", f"those of {name}", str(error)) from None


def _check_tensors(file: Path, model: Word2Vec, tensors: Tensors, keys: int, words: int) -> None:
    shapes: Shapes = {"counts": ("int64", (keys,))}
    if words:
        rows = words
        if isinstance(model, FastText):
            rows = tensors["places"].size if "places" in tensors else 0
            shapes["places"] = ("int64", (rows,))
        shapes["input"] = ("float32", (rows, model.dim))
        shapes["output"] = ("float32", (words, model.dim))
    firth.check_tensors(file, tensors, keys, shapes)
    firth.check_finite(file, tensors)


def _tables(file: Path, model: Word2Vec, tensors: Tensors, words: list[str]) -> Tables:
    """Return the tables with what follows from the words, held against what was saved."""
    places: Any = tensors.get("places")
    if isinstance(model, FastText):
        rule = model.rule
        most = rule.buckets + (len(words) if rule.words_have_rows else 0)
        if places.size and (int(places.min()) < 0 or int(places.max()) >= most):
            raise FormatError(file, "tensor 'places'", f"rows below {most}", "others")
    saved = Tables(tensors["input"], tensors["output"], None, None, places)
    try:
        made = model._grown(saved, words)
    except ValueError as error:  # a word that has no n-grams to be made of
        raise FormatError(file, "keys", "words", str(error)) from None
    if made.input.shape != saved.input.shape or not np.array_equal(made.places, places):
        raise FormatError(file, "tensor 'places'", "the rows that the words are made of", "others")
    if made.bags is not None and np.abs(made.input).max(initial=0) > _LARGE:
        row = first_not_finite(kernels.bag_means(made.input, made.bags))
        if row is not None:
            raise FormatError(file, f"word {row + 1}", "rows with a finite sum", "an infinite one")
    return made
