"""fastText's binary format: whole models (.bin), also quantised ones (.ftz), not only vectors.

Read is every version: the oldest one without magic, 11 and 12, dense and quantised, pruned or not,
unsupervised as `SubwordEmbedding`, supervised as `Classifier`. Written is version 12, dense, as
fastText itself writes it. `firth.formats._fasttext` says what lies where. Words are any bytes;
those that are not UTF-8 become lone surrogates.

What fastText keeps and firth has no place for is kept under ``metadata["fasttext"]``, by its names
there, so that a model of version 12 is written as it was read, byte by byte.
"""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth._vectors import first_not_finite
from firth.classifier import Classifier
from firth.embedding import Embedding
from firth.formats._fasttext import (
    ARGUMENTS,
    CBOW,
    LOSSES,
    MAGIC,
    OLDEST,
    SKIPGRAM,
    SUPERVISED,
    VERSION,
    Arguments,
    Dictionary,
    Floats,
    Rows,
    integer,
    is_oldest,
    mean_of_end,
    read_arguments,
    read_dictionary,
    read_rows,
    read_shape,
)
from firth.formats._quantised import read_quantised
from firth.formats._rows import in_utf8
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords

NAME = "fasttext-binary"

_LOSS_NAMES = {number: name for name, number in LOSSES.items()}
_ENDS_A_TOKEN = re.compile(rb"[ \t\n\v\f\r\0]")
_ENTRIES, _ROWS = 1 << 14, 1 << 21  # entries and numbers that are written together
_DEFAULTS = {"ws": 5, "epoch": 5, "minCount": 1, "neg": 5, "wordNgrams": 1, "lrUpdateRate": 100}
_SETTINGS = {  # fastText's name -> that in the metadata of firth's models
    "ws": "window",
    "epoch": "epochs",
    "minCount": "min_count",
    "neg": "negative",
}


def sniff(path: Path, head: bytes) -> bool:
    """Say whether the magic begins the file, or its sizes fit those of a file without magic."""
    if head[:4] == MAGIC.to_bytes(4, "little"):
        return True
    if len(head) < 4 or head[3] or not path.is_file():  # no dim is above 2**24
        return False
    with CheckedReader(path) as file:
        return is_oldest(file)


# ---- reading ------------------------------------------------------------------------------------


def read(path: AnyPath, limit: int | None = None) -> SubwordEmbedding:
    """Read a model, or one of the first ``limit`` words and all buckets and labels.

    The words cut off are then like any that were never seen: made of n-grams only.
    """
    with CheckedReader(path) as file:
        arguments = read_arguments(file)
        words = read_dictionary(file, arguments)
        all_words, dim = len(words.words), arguments.fields["dim"]
        own = all_words if limit is None else min(limit, all_words)
        rows = all_words + (arguments.fields["bucket"] if words.kept is None else words.pruned)
        supervised = arguments.supervised
        outputs = len(words.labels) if supervised else all_words
        wanted = [(0, outputs if supervised else own)]
        quantised = _read_flag(file, arguments, "input", words)
        table = _read_matrix(file, "input", rows, dim, [(0, own), (all_words, rows)], quantised)
        quantised &= _read_flag(file, arguments, "output", words, quantised)
        output = _read_matrix(file, "output", outputs, dim, wanted, quantised)
        if file.remaining:
            found = f"{file.remaining} bytes more"
            raise FormatError(file.path, f"byte {file.offset}", "the end of the file", found)
    if arguments.version == OLDEST and arguments.ngrams and "</s>" in words.words[:own]:
        row = words.words.index("</s>")
        table[row] = mean_of_end(table, row, own, arguments.fields)
    try:
        model = _model(arguments, words, own, table, output)
    except ValueError as error:
        raise FormatError(path, "file", "a model", str(error)) from None
    if model.rule.max_n and (bad := first_not_finite(model.vectors)) is not None:
        place = f"entry {bad + 1} ({model.keys[bad][:40]!r})"
        raise FormatError(path, place, "rows with a finite sum", "an infinite one")
    return model


def _read_flag(
    file: CheckedReader,
    arguments: Arguments,
    what: str,
    words: Dictionary,
    possible: bool = True,
) -> bool:
    """Read whether a matrix is quantised; only a quantised input can have been pruned."""
    if arguments.version == OLDEST:
        return False
    at = file.offset
    flag = bool(integer(file, f"whether the {what} is quantised", 8, 0, int(possible)))
    if what == "input" and words.kept is not None and not flag:
        raise FormatError(file.path, f"byte {at} ({what})", "a quantised matrix if pruned", "dense")
    return flag


def _read_matrix(
    file: CheckedReader, what: str, rows: int, dim: int, wanted: Rows, quantised: bool
) -> Floats:
    if quantised:
        return read_quantised(file, what, rows, dim, wanted)
    read_shape(file, what, rows, dim)
    return read_rows(file, what, rows, dim, wanted)


def _model(
    arguments: Arguments, words: Dictionary, own: int, table: Floats, output: Floats
) -> SubwordEmbedding:
    fields = arguments.fields
    lengths = (max(fields["minn"], 1), fields["maxn"]) if arguments.ngrams else (0, 0)
    rule = Subwords(*lengths, fields["bucket"])
    keys, labels = words.words[:own], words.labels
    seen, label_counts = words.counts[:own], words.counts[len(words.words) :]
    notes: dict[str, Any] = {"version": arguments.version, **fields}
    notes |= {"t": arguments.t, "ntokens": words.tokens}
    del notes["dim"], notes["bucket"]
    given: dict[str, Any] = {
        "counts": seen,
        "metadata": {"fasttext": notes},
        "vectors": None if rule.max_n else table[:own],
        "kept": words.kept,
        "check": False,
    }
    loss = _LOSS_NAMES[fields["loss"]]
    if not arguments.supervised:
        if labels:  # fastText counts labels in any text
            notes["labels"] = dict(zip(labels, label_counts.tolist(), strict=True))
        cut_tree = loss == "hs" and own < len(words.words)
        return SubwordEmbedding(keys, table, rule, output=None if cut_tree else output, **given)
    return Classifier(
        keys,
        table,
        rule,
        output,
        labels,
        loss=loss,
        word_ngrams=max(fields["wordNgrams"], 1),
        label_counts=label_counts,
        **given,
    )


# ---- writing ------------------------------------------------------------------------------------


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write a model of version 12, atomically.

    Counts that are not known become 1, an output that is not known zeros, as in a model that was
    not trained. A plain embedding becomes a model without n-grams.

    Raises
    ------
    ValueError
        A key that is empty or has white space or a NUL, floret's rule, or a pruned model: the
        format cannot hold them.
    """
    model = embedding if isinstance(embedding, SubwordEmbedding) else None
    table = embedding.vectors if model is None else model.input
    if model is not None and model.rule.hashes:
        raise ValueError(f"{NAME}: floret's rule (hashes={model.rule.hashes}) has no place in it")
    if model is not None and model.kept is not None:
        raise ValueError(f"{NAME}: a pruned model cannot be written, only read")
    notes = embedding.metadata.get("fasttext")
    notes = dict(notes) if isinstance(notes, Mapping) else {}
    labels, label_counts = _labels_of(embedding, notes)
    words, names = _encoded(embedding.keys, bool(notes)), _encoded(labels, bool(notes))
    if len({*words, *names}) != len(words) + len(names):
        raise ValueError(f"{NAME}: key {_shared(words, names)!r} is a label, too")
    counts = np.concatenate([_counts_of(embedding.counts, len(words)), label_counts])
    output = None if model is None else model.output
    if output is None:
        output = np.broadcast_to(np.float32(0), embedding.vectors.shape)
    with atomic_file(path) as file:
        fields = _fields(embedding, model, notes)
        file.write(struct.pack("<14i", MAGIC, VERSION, *(fields[name] for name in ARGUMENTS)))
        t = _number(notes.get("t", embedding.metadata.get("sample")), 1e-4, float)
        t = t if math.isfinite(t) else 1e-4
        tokens = _number(notes.get("ntokens", embedding.metadata.get("tokens")), None, int)
        if tokens is None or not 0 <= tokens < 1 << 63:
            tokens = min(sum(counts.tolist()), (1 << 63) - 1)
        sizes = (len(counts), len(words), len(names), tokens, -1)
        file.write(struct.pack("<d3i2q", t, *sizes))
        _write_entries(file, words, 0, counts)
        _write_entries(file, names, 1, counts[len(words) :])
        for matrix in (table, output):
            file.write(struct.pack("<?2q", False, *matrix.shape))
            _write_rows(file, matrix)


def _labels_of(
    embedding: Embedding, notes: Mapping[str, Any]
) -> tuple[list[str], npt.NDArray[np.int64]]:
    if isinstance(embedding, Classifier):
        labels = embedding.labels
        return labels, _counts_of(embedding.label_counts, len(labels))
    known = notes.get("labels")
    known = known if isinstance(known, Mapping) else {}
    return list(known), np.array([_number(n, 1, int) for n in known.values()], np.int64)


def _counts_of(counts: npt.NDArray[np.int64] | None, size: int) -> npt.NDArray[np.int64]:
    return np.ones(size, np.int64) if counts is None else counts


def _encoded(keys: Sequence[str], as_read: bool) -> list[bytes]:
    """Return the bytes of keys; what was read is written even if no text can have such words."""
    result = [in_utf8(key, NAME) for key in keys]
    for key, raw in zip(keys, result, strict=True):
        if b"\0" in raw if as_read else not raw or _ENDS_A_TOKEN.search(raw):
            raise ValueError(f"{NAME}: key {key!r} is empty or has white space or a NUL")
    return result


def _shared(words: list[bytes], labels: list[bytes]) -> str:
    return next(iter(set(words) & set(labels))).decode("utf-8", "surrogateescape")


def _fields(
    embedding: Embedding, model: SubwordEmbedding | None, notes: Mapping[str, Any]
) -> dict[str, int]:
    """Return the twelve arguments: as they were read, or what firth's models call them."""
    known = embedding.metadata
    fields = {name: _int32(notes.get(name), default) for name, default in _DEFAULTS.items()}
    for name, ours in _SETTINGS.items():
        if name not in notes:
            fields[name] = _int32(known.get(ours), fields[name])
    fields["dim"] = embedding.dim
    fields["bucket"] = 0 if model is None else len(model.input) - len(model)
    fields["minn"], fields["maxn"] = _ngrams(model, notes)
    if isinstance(embedding, Classifier):
        fields["model"], fields["loss"] = SUPERVISED, LOSSES[embedding.loss]
        if max(fields["wordNgrams"], 1) != embedding.word_ngrams:
            fields["wordNgrams"] = embedding.word_ngrams
        return fields
    kind, loss = (_int32(notes.get(name), 0) for name in ("model", "loss"))
    usual = CBOW if known.get("cbow") is True else SKIPGRAM
    fields["model"] = kind if kind in (CBOW, SKIPGRAM) else usual
    fields["loss"] = loss if loss in _LOSS_NAMES else LOSSES["ns"]
    return fields


def _ngrams(model: SubwordEmbedding | None, notes: Mapping[str, Any]) -> tuple[int, int]:
    """Return minn and maxn: as they were read, if they still mean what the rule says."""
    least, most = (_int32(notes.get(name), 0) for name in ("minn", "maxn"))
    rule = Subwords(0, 0, 0) if model is None else model.rule
    if not rule.max_n:
        return (least, most) if not 0 < most >= least else (0, 0)
    if (max(least, 1), most) == (rule.min_n, rule.max_n):
        return least, most
    return rule.min_n, rule.max_n


def _int32(value: object, default: int) -> int:
    number: int = _number(value, default, int)
    return min(max(number, 0), 2**31 - 1)


def _number(value: object, default: Any, kind: type) -> Any:
    """Return a number of the metadata, which can be anything."""
    wanted = (int,) if kind is int else (int, float)
    return kind(value) if isinstance(value, wanted) and not isinstance(value, bool) else default


def _write_entries(
    file: BinaryIO, names: list[bytes], kind: int, counts: npt.NDArray[np.int64]
) -> None:
    rest = struct.Struct("<xqb").pack
    for at in range(0, len(names), _ENTRIES):
        some = zip(names[at : at + _ENTRIES], counts[at : at + _ENTRIES].tolist(), strict=False)
        file.write(b"".join([name + rest(count, kind) for name, count in some]))


def _write_rows(file: BinaryIO, matrix: Floats) -> None:
    step = max(1, _ROWS // matrix.shape[1])
    for at in range(0, len(matrix), step):
        file.write(np.ascontiguousarray(matrix[at : at + step], "<f4").data)
