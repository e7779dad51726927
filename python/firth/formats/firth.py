"""The firth folder: config.json to look at, model.safetensors to map.

model.safetensors holds everything and a checksum over every byte. Tensors: ``vectors`` float32
(n, dim), ``keys`` uint8, all keys one after the other in UTF-8, ``key_offsets`` int64 (n + 1,),
where each begins, and ``counts`` int64 (n,) where known. Lone surrogates in keys are stored as
UTF-8 would store them if it could ("surrogatepass"), so that every text comes back the same.
The kind "subword-embedding" adds ``input`` float32 (rows, dim) and, where there, ``output`` float32
(n, dim) and ``kept`` int32 (buckets,); its rule stands in the configuration. In a "classifier"
``output`` is (labels, dim), ``labels`` and ``label_offsets`` hold the labels as keys are held, and
``label_counts`` int64 (labels,) how often each was seen, where known. The kinds "counts",
"learner" and "recommender" hold no embedding: see counts_folder.py, learner_folder.py and
recommender_folder.py.
config.json repeats what the header says for people and other tools, and must agree with it.
"""

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from firth._errors import FormatError
from firth._files import atomic_folder, while_whole
from firth._reading import AnyPath, CheckedReader
from firth._vectors import first_not_finite
from firth.embedding import Embedding
from firth.formats.kinds import KINDS, OTHERS, Config, Kind, Shapes, Tensors, kind_of
from firth.formats.tensors import read_tensors, write_tensors

CONFIG, MODEL = "config.json", "model.safetensors"
VERSION = 1
Made = TypeVar("Made")


def sniff(path: Path, head: bytes) -> bool:
    """Say whether this is a folder with a configuration."""
    return Path(path, CONFIG).is_file()


def read(path: AnyPath, limit: int | None = None) -> Embedding:
    """Read the first ``limit`` rows or all into memory."""
    embedding = load(path, mmap=limit is not None)
    if limit is None:
        return embedding
    return KINDS[kind_of(embedding)].cut(embedding, limit)


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write a folder that replaces what firth has written there before, atomically."""
    kind = kind_of(embedding)
    tensors, entries = KINDS[kind].parts(embedding)
    if embedding.counts is not None:
        tensors["counts"] = embedding.counts
    entries = {"dim": embedding.dim, **entries, "metadata": embedding.metadata}
    write_folder(path, kind, embedding.keys, tensors, entries)


def write_folder(
    path: AnyPath, kind: str, keys: list[str], tensors: Tensors, entries: dict[str, Any]
) -> None:
    """Write keys, tensors and entries of the configuration as a folder of a kind."""
    blobs = [key.encode("utf-8", "surrogatepass") for key in keys]
    offsets = np.zeros(len(blobs) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, blobs), np.int64, len(blobs)), out=offsets[1:])
    tensors = {**tensors, "key_offsets": offsets, "keys": np.frombuffer(b"".join(blobs), np.uint8)}
    config = {
        "format": "firth",
        "version": VERSION,
        "kind": kind,
        "keys": len(keys),
        **entries,
        "files": [MODEL],
    }
    try:
        note = json.dumps(config, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"save: metadata that JSON cannot hold: {error}") from None
    with atomic_folder(path) as folder:
        write_tensors(folder / MODEL, tensors, {"firth": note})
        Path(folder, CONFIG).write_text(json.dumps(config, indent=2) + "\n", "ascii")


def load(path: AnyPath, *, mmap: bool = True, verify: bool = True) -> Embedding:
    """Load a folder; see `firth.load`."""
    made = partial(_embedding, finite=verify)
    return read_folder(path, made, mmap=mmap, verify=verify)


def read_folder(
    path: AnyPath, make: Callable[[Path, Config, Tensors], Made], *, mmap: bool, verify: bool
) -> Made:
    """Return what ``make`` makes of the tensors' file, the configuration and the tensors."""
    folder = Path(path)
    return while_whole(path, lambda: make(folder / MODEL, *_opened(folder, mmap, verify)))


def _opened(folder: Path, mmap: bool, verify: bool) -> tuple[Config, Tensors]:
    shown = _config(folder / CONFIG)
    model = folder / MODEL
    tensors, notes = read_tensors(model, mmap, verify=verify)
    config = _parsed(model, notes.get("firth", ""))
    if config != shown:
        raise FormatError(folder / CONFIG, "file", f"what the header of {MODEL} says", "otherwise")
    return config, tensors


def kind_in(path: AnyPath) -> str:
    """Return the kind that the configuration of a folder names."""
    return str(_config(Path(path, CONFIG)).get("kind"))


def _embedding(model: Path, config: Config, tensors: Tensors, *, finite: bool) -> Embedding:
    name = config.get("kind")
    if config.get("version") != VERSION or not isinstance(name, str) or name not in KINDS:
        found = f"version {config.get('version')!r} of kind {name!r}"
        if isinstance(name, str) and name in OTHERS:
            found += f" ({OTHERS[name]} reads it)"
        place = model.with_name(CONFIG)
        raise FormatError(place, "version", f"version {VERSION} of an embedding", found)
    kind = KINDS[name]
    _check_embedding(model, tensors, config, kind)
    if finite:
        check_finite(model, tensors)
    keys = keys_of(model, tensors)
    try:
        return kind.make(keys, tensors, config)
    except ValueError as error:
        raise FormatError(model, "tensors", "an embedding", str(error)) from None


def _config(path: Path) -> dict[str, Any]:
    try:
        with CheckedReader(path) as file:
            text = file.take(file.size, "JSON").decode("utf-8", "replace")
    except FileNotFoundError:
        raise FormatError(path, "file", "a configuration, as in a firth folder", "none") from None
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, "configuration", "JSON", str(error)) from None
    if not isinstance(config, dict) or config.get("format") != "firth":
        raise FormatError(path, "configuration", '"format": "firth"', repr(text[:40]))
    return config


def _check_embedding(path: Path, tensors: Tensors, config: Config, kind: Kind) -> None:
    count, dim = config.get("keys"), config.get("dim")
    if type(count) is not int or type(dim) is not int or dim < 1:
        raise FormatError(path, "configuration", "keys and dim", f"{count!r} and {dim!r}")
    if not isinstance(config.get("metadata"), dict):
        raise FormatError(path, "configuration", "metadata", repr(config.get("metadata"))[:40])
    try:
        shapes = kind.shapes(config, tensors)
    except (TypeError, ValueError) as error:
        raise FormatError(path, "configuration", "what tensors follow from", str(error)) from None
    if "counts" in tensors:
        shapes["counts"] = ("int64", (count,))
    check_tensors(path, tensors, count, shapes)


def check_tensors(path: Path, tensors: Tensors, keys: int, shapes: Shapes) -> None:
    """Raise unless a file has tensors of these dtypes and shapes, those of keys, and no others."""
    expected: Shapes = {
        **shapes,
        "key_offsets": ("int64", (keys + 1,)),
        "keys": ("uint8", (tensors["keys"].size if "keys" in tensors else 0,)),
    }
    for name in expected.keys() | tensors.keys():
        wanted = expected.get(name)
        found = (tensors[name].dtype.name, tensors[name].shape) if name in tensors else None
        if wanted != found:
            raise FormatError(path, f"tensor {name!r}", str(wanted), str(found))


def check_finite(path: Path, tensors: Tensors) -> None:
    """Raise unless all numbers of the tables are finite; a checksum does not say so."""
    for name, table in tensors.items():
        if table.dtype == np.float32 and (row := first_not_finite(table)) is not None:
            raise FormatError(path, f"tensor {name!r}, row {row}", "finite numbers", "others")


def keys_of(path: Path, tensors: Tensors) -> list[str]:
    """Cut the keys out of the decoded text: the characters before each offset are counted first."""
    blob, offsets = tensors["keys"], tensors["key_offsets"]
    if offsets[0] != 0 or offsets[-1] != blob.size or (offsets[1:] < offsets[:-1]).any():
        raise FormatError(path, "tensor 'key_offsets'", f"ascending 0 to {blob.size}", "others")
    begins = (blob & 0xC0) != 0x80  # the other bytes continue a character
    inner = offsets[offsets < blob.size]
    try:
        text = blob.tobytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"tensor 'keys' at {error.start}", "UTF-8", error.reason) from None
    if not begins[inner].all():
        at = int(inner[begins[inner].argmin()])
        raise FormatError(path, "tensor 'key_offsets'", "the beginning of a character", f"{at}")
    if len(text) != blob.size:
        offsets = np.concatenate([[0], np.cumsum(begins)])[offsets]
    return [text[begin:end] for begin, end in pairwise(offsets.tolist())]
