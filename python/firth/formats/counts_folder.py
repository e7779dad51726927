"""The firth folder of counts: words and their sparse matrix of sums, which can be mapped.

Tensors: ``indptr`` int64 (words + 1,), ``indices`` int32 (entries,), ``sums`` uint64 (entries,),
``counts`` int64 (words,), how often each word occurs, and the words as keys are held in every firth
folder. The rule of counting (unit, window, weights, symmetric, sentences) and the number of tokens
stand in the configuration.
"""

from pathlib import Path

from firth._errors import FormatError
from firth._reading import AnyPath
from firth.counts import RULE, Counts
from firth.csr import CSR
from firth.formats import firth
from firth.formats.kinds import COUNTS, Config, Shapes, Tensors
from firth.vocabulary import Vocabulary


def write(counts: Counts, path: AnyPath) -> None:
    """Write a folder that replaces what firth has written there before, atomically."""
    sums, vocabulary = counts.sums, counts.vocabulary
    tensors: Tensors = {
        "indptr": sums.indptr,
        "indices": sums.indices,
        "sums": sums.data,
        "counts": vocabulary.counts,
    }
    entries = {name: getattr(counts, name) for name in (*RULE, "tokens")}
    entries = {"entries": sums.nnz, **entries}
    firth.write_folder(path, COUNTS, vocabulary.words, tensors, entries)


def load(path: AnyPath, *, mmap: bool = True) -> Counts:
    """Load a folder; see `firth.Counts.load`."""
    return firth.read_folder(path, _made, mmap=mmap, verify=True)


def _made(model: Path, config: Config, tensors: Tensors) -> Counts:
    found = (config.get("version"), config.get("kind"))
    if found != (firth.VERSION, COUNTS):
        expected = f"version {firth.VERSION} of counts"
        what = f"version {found[0]!r} of kind {found[1]!r}"
        raise FormatError(model.with_name(firth.CONFIG), "version", expected, what)
    words, entries = config.get("keys"), config.get("entries")
    if type(words) is not int or type(entries) is not int:
        raise FormatError(model, "configuration", "keys and entries", f"{words!r} and {entries!r}")
    shapes: Shapes = {
        "indptr": ("int64", (words + 1,)),
        "indices": ("int32", (entries,)),
        "sums": ("uint64", (entries,)),
        "counts": ("int64", (words,)),
    }
    firth.check_tensors(model, tensors, words, shapes)
    keys = firth.keys_of(model, tensors)
    rule = [config.get(name) for name in (*RULE, "tokens")]
    try:
        vocabulary = Vocabulary(keys, tensors["counts"])
        sums = CSR(tensors["indptr"], tensors["indices"], tensors["sums"], words)
        return Counts(vocabulary, sums, *rule)  # type: ignore[arg-type]  # checked there
    except (TypeError, ValueError) as error:
        raise FormatError(model, "tensors", "counts", str(error)) from None
