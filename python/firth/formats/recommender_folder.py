"""The firth folder of a recommender: users, items, vectors and what was seen, which can be mapped.

Tensors: ``item_vectors`` float32 (items, dim); ``user_vectors`` float32 (users, dim), unless users
are what they have seen; ``biases`` and ``diagonal`` float32 (items,) where there are any; what each
user has met, ``indptr`` int64 (users + 1,) and ``indices`` int32 (seen,); and the keys: first the
names of the users, then those of the items. The configuration says how many there are of each.
"""

from pathlib import Path

import numpy as np

from firth._errors import FormatError
from firth._reading import AnyPath
from firth.csr import CSR
from firth.formats import firth
from firth.formats.kinds import RECOMMENDER, Config, Shapes, Tensors
from firth.item_recommender import ItemRecommender
from firth.recommender import Recommender

_NUMBERS = ("keys", "users", "items", "dim", "seen")


def write(model: Recommender, path: AnyPath) -> None:
    """Write a folder that replaces what firth has written there before, atomically."""
    tensors: Tensors = {
        "item_vectors": model.item_vectors,
        "indptr": model.seen.indptr,
        "indices": model.seen.indices,
    }
    if model.user_vectors is not None:
        tensors["user_vectors"] = model.user_vectors
    if model.biases is not None:
        tensors["biases"] = model.biases
    if isinstance(model, ItemRecommender) and model.diagonal is not None:
        tensors["diagonal"] = model.diagonal
    users, items = len(model.users), len(model.items)
    sizes = {"users": users, "items": items, "dim": model.dim, "seen": model.seen.nnz}
    entries = {**sizes, "metadata": model.metadata}
    firth.write_folder(path, RECOMMENDER, [*model.users, *model.items], tensors, entries)


def load(path: AnyPath, *, mmap: bool = True) -> Recommender:
    """Load a folder; see `firth.Recommender.load`."""
    return firth.read_folder(path, _made, mmap=mmap, verify=True)


def _made(file: Path, config: Config, tensors: Tensors) -> Recommender:
    found = (config.get("version"), config.get("kind"))
    if found != (firth.VERSION, RECOMMENDER):
        expected = f"version {firth.VERSION} of a recommender"
        what = f"version {found[0]!r} of kind {found[1]!r}"
        raise FormatError(file.with_name(firth.CONFIG), "version", expected, what)
    for name in _NUMBERS:
        number = config.get(name)
        if type(number) is not int or not 0 <= number < 2**62:
            raise FormatError(file, "configuration", name, f"{number!r:.40}")
    keys, users, items, dim, seen = (config[name] for name in _NUMBERS)
    if keys != users + items or not isinstance(config.get("metadata"), dict):
        raise FormatError(file, "configuration", "keys of users and items, metadata", "others")
    shapes: Shapes = {
        "item_vectors": ("float32", (items, dim)),
        "indptr": ("int64", (users + 1,)),
        "indices": ("int32", (seen,)),
    }
    if "user_vectors" in tensors:
        shapes["user_vectors"] = ("float32", (users, dim))
    for name in ("biases", "diagonal"):
        if name in tensors:
            shapes[name] = ("float32", (items,))
    firth.check_tensors(file, tensors, keys, shapes)
    names = firth.keys_of(file, tensors)
    met = CSR(tensors["indptr"], tensors["indices"], np.ones(seen, np.float32), items)
    vectors, of_items = tensors.get("user_vectors"), tensors["item_vectors"]
    rest = met, tensors.get("biases"), config["metadata"]
    try:
        if vectors is None:
            diagonal = tensors.get("diagonal")
            return ItemRecommender(names[:users], names[users:], None, of_items, *rest, diagonal)
        return Recommender(names[:users], names[users:], vectors, of_items, *rest)
    except (TypeError, ValueError) as error:
        raise FormatError(file, "tensors", "a recommender", str(error)) from None
