"""The table of everything that reads a file: valid samples, the reading, and what is right.

Right is a typed error that names the file, or a result that is whole: finite, of lengths that fit
each other, without twins, and fit for use.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firth import FormatError
from trust import _samples as samples
from trust import _whole as whole
from trust._whole import Found, WrongError

_LONGEST = 1000  # characters of a message behind the path


@dataclass(frozen=True)
class Reader:
    """How files of one kind are read.

    Attributes
    ----------
    name, form
        What it reads, and how its files are mutated (see `mutations.FORMS`).
    samples
        Makes valid cases.
    read
        Reads a path, uses what is there and returns it.
    files
        Names of the files of a case; several lie in a folder, which is the path that is read.
    says
        What documented errors other than FormatError begin with, if there are any.
    summed
        Whether a checksum is over every byte: then what is read is what was written.
    """

    name: str
    form: str
    samples: Callable[[], samples.Samples]
    read: Callable[[Path], Found]
    files: tuple[str, ...] = ("file",)
    says: tuple[str, ...] = ()
    summed: bool = False

    def cases(self) -> list[bytes]:
        """Return all samples, which are made once."""
        return _cases(self)

    def write(self, data: bytes, folder: Path) -> Path:
        """Write a case into a folder of this reader's; return what is to be read."""
        folder = folder / self.name
        folder.mkdir(exist_ok=True)
        for name, part in zip(self.files, samples.parted(data, len(self.files)), strict=True):
            Path(folder, name).write_bytes(part)
        return folder if len(self.files) > 1 else folder / self.files[0]

    def outcome(self, path: Path) -> Found | None:
        """Return what was read, or None after an error that is as it should be."""
        try:
            return self.read(path)
        except FormatError as error:
            text = str(error)
            place, _, rest = text.removeprefix(str(path)).partition(": ")
            named = text.startswith(str(path)) and place.removeprefix("/") in ("", *self.files)
            if not named or ": expected " not in rest or ", found " not in rest:
                raise WrongError(f"an unclear message: {text[:300]}") from error
            if len(rest) > _LONGEST:
                raise WrongError(f"a message of {len(rest)} characters: {rest[:100]}") from error
        except Exception as error:
            if not str(error).startswith(self.says or ("\0",)):
                raise
        return None


@functools.cache
def _cases(reader: Reader) -> list[bytes]:
    return list(reader.samples().values())


def _given(some: Mapping[str, bytes]) -> Callable[[], samples.Samples]:
    return lambda: dict(some)


def _written_as(format: str) -> Callable[[], samples.Samples]:
    return getattr(samples, format.replace("-", "_"))  # type: ignore[no-any-return]


def _any() -> samples.Samples:
    return {
        f"{name}-{kind}": data for name in OF_WORDS for kind, data in _written_as(name)().items()
    }


OF_WORDS = {
    "word2vec-text": "text",
    "word2vec-binary": "bytes",
    "glove-text": "text",
    "fasttext-binary": "bytes",
    "floret": "text",
}
_FOLDERS: dict[str, tuple[Callable[[], samples.Samples], Callable[[Path], Found]]] = {
    "embedding": (samples.embeddings, whole.read_load),
    "subword": (samples.subword_embeddings, whole.read_load),
    "classifier": (samples.classifiers, whole.read_load),
    "recommender": (samples.recommenders, whole.read_recommender),
    "counts": (samples.counts, whole.read_counts),
}
_CHECKPOINTS = (  # of other settings, of numbers too large to go on with, with other files
    "Word2Vec: the checkpoint ",
    "Word2Vec: epoch ",
    "GloVe: the checkpoint ",
    "GloVe: epoch ",
    "[Errno 17] expected a new folder, an empty one or one written by firth",
)
# A learner of n-grams has rows for all buckets of its rule, of which the file has those in use.
_TOO_LARGE = ("Unable to allocate ",)
_NO_LISTS = ("Interactions.read: ",)
_NO_TEXT = ("Corpus.read: ",)
_TEXTS = {"text": samples.MIXED, "lines": samples.TEXT.encode()}

ALL = [
    *(
        Reader(name, "folder", make, read, samples.FOLDER, summed=True)
        for name, (make, read) in _FOLDERS.items()
    ),
    Reader(
        "learner", "folder", samples.learners, whole.read_learner, samples.FOLDER, _TOO_LARGE, True
    ),
    Reader("corpus", "folder", samples.corpora, whole.read_corpus, samples.CORPUS, summed=True),
    Reader(
        "checkpoint",
        "folder",
        samples.checkpoints,
        whole.read_checkpoint,
        samples.FOLDER,
        _CHECKPOINTS,
    ),
    Reader("tensors", "tensors", samples.tensors, whole.read_tensors(False), summed=True),
    Reader("tensors-foreign", "tensors", samples.foreign_tensors, whole.read_tensors(True)),
    Reader("prepared", "tensors", samples.prepared, whole.read_prepared, summed=True),
    *(
        Reader(
            name, "bytes" if "binary" in name else "text", _written_as(name), whole.read_as(name)
        )
        for name, form in OF_WORDS.items()
    ),
    Reader("any", "bytes", _any, whole.read_as(None)),
    Reader(
        "glove-counts",
        "bytes",
        samples.glove_counts,
        whole.read_glove_counts,
        ("vocab.txt", "cooccurrence.bin"),
    ),
    Reader("vocabulary", "text", _given(samples.VOCABULARY), whole.read_vocabulary),
    Reader("text", "text", _given(_TEXTS), whole.read_texts, says=_NO_TEXT),
    *(
        Reader(
            suffix,
            suffix,
            functools.partial(samples.compressed, suffix),
            whole.read_texts,
            (f"file.{suffix}",),
            _NO_TEXT,
        )
        for suffix in samples.COMPRESSORS
    ),
    Reader(
        "labelled",
        "text",
        _given({"lines": samples.LABELLED}),
        whole.read_labelled,
        says=("Corpus.read: ", "test: "),
    ),
    Reader("edges", "text", _given(samples.EDGES), whole.read_graph, says=("Graph.read: ",)),
    Reader(
        "ratings",
        "text",
        _given(samples.RATINGS),
        whole.read_ratings,
        says=("Interactions.read: ",),
    ),
    Reader("lists", "text", _given(samples.LISTS), whole.read_lists, says=_NO_LISTS),
    Reader("pairs", "text", _given(samples.PAIRS), whole.read_pairs),
    Reader("questions", "text", _given(samples.QUESTIONS), whole.read_questions),
    Reader("labels", "text", _given(samples.LABELS), whole.read_labels),
]
READERS = {reader.name: reader for reader in ALL}
