"""Small valid files of every kind that firth reads, made here: several of each, all optional parts.

A case is one text of bytes. Where a reader wants several files, `packed` puts them in a row, each
but the last behind its length, and `parted` takes any bytes apart again.
"""

import bz2
import contextlib
import functools
import gzip
import io
import json
import lzma
import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fasttext_files as fasttext
import firth
from firth import kernels
from firth._backend import Floats
from firth.csr import CSR
from firth.formats.tensors import read_tensors, write_tensors
from firth.recommender import Recommender
from firth.subwords import Subwords

Samples = dict[str, bytes]

FOLDER = ("config.json", "model.safetensors")
CORPUS = ("config.json", "corpus.safetensors")
LINES = ["the cat sat", "the dog sat on the cat", "a käse the dog", "cat dog cat dog"]
TEXT = "\n".join(LINES) + "\n"
KEYS = ["the", "cat", "", "käse", "\ud800", "a b"]
PLAIN = ["the", "cat", "dog", "k\udce4se", "テ"]
W2V = firth.Word2Vec(dim=3, window=2, epochs=2, min_count=2, sample=0, threads=1)
FT = firth.FastText(
    dim=3, window=2, epochs=1, min_count=2, sample=0, threads=1, buckets=7, min_n=2, max_n=3
)
GLOVE = firth.GloVe(dim=2, epochs=2, min_count=1, threads=1)


def packed(parts: Sequence[bytes]) -> bytes:
    """Return several files as one text of bytes."""
    return b"".join([len(part).to_bytes(4, "little") + part for part in parts[:-1]]) + parts[-1]


def parted(data: bytes, files: int) -> list[bytes]:
    """Return several files out of any text of bytes."""
    parts = []
    for _ in range(files - 1):
        end = 4 + int.from_bytes(data[:4], "little")
        parts.append(data[4:end])
        data = data[end:]
    return [*parts, data]


def rows(count: int, dim: int = 3, seed: int = 0) -> Floats:
    """Return a matrix of random float32."""
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def file_of(write: Callable[[Path], object]) -> bytes:
    """Return the bytes of the file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "file"))
        return Path(folder, "file").read_bytes()


def folder_of(write: Callable[[Path], object], files: tuple[str, ...] = FOLDER) -> bytes:
    """Return the files of the folder that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "folder"))
        return packed([Path(folder, "folder", name).read_bytes() for name in files])


def _subwords(rule: Subwords, **options: object) -> firth.SubwordEmbedding:
    count = rule.buckets + (len(PLAIN) if rule.words_have_rows else 0)
    return firth.SubwordEmbedding(PLAIN, rows(count), rule, **options)  # type: ignore[arg-type]


# ---- firth's own formats ------------------------------------------------------------------------


def embeddings() -> Samples:
    """Plain vectors: with counts and metadata, with keys of every kind, without keys."""
    counts = np.arange(len(KEYS), 0, -1)
    full = firth.Embedding(KEYS, rows(6), counts, {"model": "x", "losses": [0.5, None], "a": {}})
    bare, none = firth.Embedding(PLAIN, rows(5, 17)), firth.Embedding([], rows(0))
    made = {"full": full, "bare": bare, "none": none}
    return {name: folder_of(one.save) for name, one in made.items()}


def subword_embeddings() -> Samples:
    """Words made of rows: with and without n-grams, floret's rule, pruned, with an output."""
    counts, rule = np.array([5, 4, 3, 2, 1]), Subwords(2, 3, 6)
    kept = np.array([1, -1, 0, -1, -1, 2], np.int32)
    pruned = firth.SubwordEmbedding(PLAIN, rows(8), rule, kept=kept)
    made = {
        "full": _subwords(rule, counts=counts, output=rows(5, seed=1), metadata={"epochs": 2}),
        "own": _subwords(Subwords(0, 0, 0)),
        "floret": _subwords(Subwords(2, 3, 9, 2)),
        "pruned": pruned,
    }
    return {name: folder_of(one.save) for name, one in made.items()}


def classifiers() -> Samples:
    """Classifiers: each loss, n-grams of words and of characters, none."""
    labels = ["__label__a", "__label__ü", "__label__c"]
    made = {}
    for loss in ("softmax", "hs", "ova"):
        some = loss != "softmax"
        rule = Subwords(2, 3, 6) if some else Subwords(0, 0, 0)
        made[loss] = firth.Classifier(
            PLAIN,
            rows(11 if some else 5),
            rule,
            rows(3, seed=1),
            labels,
            loss=loss,
            word_ngrams=3 if some else 1,
            counts=np.array([5, 4, 3, 2, 1]) if some else None,
            label_counts=np.array([9, 2, 1]) if some else None,
            metadata={"loss": loss},
        )
    return {name: folder_of(one.save) for name, one in made.items()}


def recommenders() -> Samples:
    """Recommenders: vectors of users, and users that are what they have met."""
    users, items = ["u1", "ü2", ""], ["i1", "i2", "i3", "i4"]
    seen = CSR(
        np.array([0, 2, 3, 3]), np.array([0, 3, 1], np.int32), np.ones(3, np.float32), len(items)
    )
    plain = Recommender(users, items, rows(3), rows(4, seed=1), seen, rows(1, 4)[0], {"lr": 0.1})
    bare = Recommender(users, items, rows(3), rows(4, seed=1), seen)
    some = firth.Interactions(users * 4, [item for item in items for _ in users])
    ease = firth.EASE().fit(some)
    return {
        name: folder_of(m.save) for name, m in (("full", plain), ("bare", bare), ("ease", ease))
    }


def learners() -> Samples:
    """Learners: of words, of n-grams, and one that has learnt nothing."""
    made = {"words": W2V.learner(), "rows": FT.learner(), "none": W2V.learner()}
    for name in ("words", "rows"):
        made[name].partial_fit([line.split() for line in LINES])
    return {name: folder_of(one.save) for name, one in made.items()}


@functools.cache
def counted() -> firth.Counts:
    """Count the sample text."""
    return firth.Counts.of(LINES, window=3, min_count=1, threads=1)


def counts() -> Samples:
    """Counts of every rule, and empty ones."""
    rule = {"weights": "uniform", "symmetric": False, "sentences": False}
    other = firth.Counts.of(LINES, window=2, min_count=2, threads=1, **rule)  # type: ignore[arg-type]
    alone = firth.Counts.of([["x"], ["y"]], window=2, min_count=1, threads=1)
    made = {"full": counted(), "other": other, "alone": alone}
    return {name: folder_of(one.save) for name, one in made.items()}


def corpora() -> Samples:
    """Corpora, one with bytes that are no UTF-8."""
    some = firth.Corpus.read(LINES, min_count=1, threads=1)
    other = firth.Corpus.read([["\udcff", "a b", "\udcff"]], min_count=1, threads=1)
    return {"text": folder_of(some.save, CORPUS), "bytes": folder_of(other.save, CORPUS)}


def checkpoints() -> Samples:
    """Checkpoints behind the last epoch, and within one."""

    def made(model: Any, source: object) -> Callable[[Path], object]:
        return lambda place: model.fit(source, checkpoint=place)

    def within(place: Path) -> None:
        made(W2V, texts)(place)
        arrays, notes = read_tensors(place / FOLDER[1], mmap=False)
        config = json.loads(notes["firth"])
        config |= {"losses": config["losses"][:1], "place": {"words": 0, "loss": 2.5, "pairs": 9}}
        write_tensors(place / FOLDER[1], arrays, {"firth": json.dumps(config)})
        Path(place, FOLDER[0]).write_text(json.dumps(config))

    texts = [line.split() for line in LINES]
    written = {"words": made(W2V, texts), "within": within, "glove": made(GLOVE, counted())}
    return {name: folder_of(write) for name, write in written.items()}


def tensors() -> Samples:
    """Tensors of every type, without axes, without numbers, none."""
    codes = [
        "?",
        "<u1",
        "<i1",
        "<u2",
        "<i2",
        "<f2",
        "<u4",
        "<i4",
        "<f4",
        "<u8",
        "<i8",
        "<f8",
        "<c8",
    ]
    every = {f"t{at}": np.ones((2, 3), code) for at, code in enumerate(codes)}
    odd = {"point": np.float64(1.5), "none": np.zeros((0, 4), np.int32), "": np.ones(1, np.uint8)}
    written = {"every": every, "odd": odd, "nothing": {}}
    notes = {"source": "here", "ä": '{"a": [1, 2.5, null]}'}
    return {
        name: file_of(lambda path, some=some: write_tensors(path, some, notes))  # type: ignore[misc]
        for name, some in written.items()
    }


def foreign_tensors() -> Samples:
    """Tensors as other writers make them: no checksums, names in any order, nothing aligned."""

    def made(arrays: dict[str, tuple[str, list[int], bytes]], notes: dict[str, str]) -> bytes:
        header: dict[str, object] = {"__metadata__": notes} if notes else {}
        data = b""
        for name, (kind, shape, raw) in arrays.items():
            offsets = [len(data), len(data) + len(raw)]
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
            data += raw
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    some = {"b": ("BOOL", [3], b"\0\1\1"), "x": ("F32", [2, 2], rows(2, 2).tobytes())}
    return {"some": made(some, {"format": "pt"}), "none": made({}, {}), **tensors()}


def prepared() -> Samples:
    """Every scan and measure, with the rows and without."""
    return {
        f"{scan}-{metric}-{exact}": file_of(
            kernels.prepare(rows(19, 5), metric=metric, scan=scan, keep_exact=exact).save
        )
        for scan in ("float32", "bfloat16", "int8")
        for metric in ("cosine", "dot")
        for exact in (True, False)
        if exact or scan != "float32"
    }


# ---- others' formats ----------------------------------------------------------------------------


def written(format: str) -> Samples:
    """Return plain vectors in a format of text, or word2vec's binary one."""
    few, wide = firth.Embedding(PLAIN, rows(5)), firth.Embedding(PLAIN[:2], rows(2, 40) * 1e-20)
    return {
        name: file_of(lambda path, one=one: one.write(path, format=format))  # type: ignore[misc]
        for name, one in (("few", few), ("wide", wide))
    }


def word2vec_binary() -> Samples:
    """Rows with line feeds behind them, and without."""
    bare = b"2 3\n" + b"".join(name + b" " + rows(1).tobytes() for name in (b"a", b"\xffb"))
    return {**written("word2vec-binary"), "bare": bare}


def word2vec_text() -> Samples:
    """As word2vec writes it, as fastText does (.vec), lines that end as on Windows."""
    vec = b"2 3\n</s> 0.1 -0.22 1e-05 \nthe 1 2 3 \n"
    return {**written("word2vec-text"), "vec": vec, "windows": b"2 2\r\na 1 2\r\nb 3 4.5\r\n"}


def glove_text() -> Samples:
    """As GloVe writes it, and with spaces in keys."""
    return {**written("glove-text"), "spaces": b"a 1 2 3\n. . . 4 5 6\nat name@x 7 8 9"}


def floret() -> Samples:
    """Tables with one hash and with four."""
    some = (_subwords(Subwords(2, 3, 5, 2)), _subwords(Subwords(1, 5, 9, 4)))
    made = {f"{len(one.input)}": one for one in some}
    return {
        name: file_of(lambda path, one=one: one.write(path, format="floret"))  # type: ignore[misc]
        for name, one in made.items()
    }


def fasttext_binary() -> Samples:
    """Every version and kind of model, also quantised and pruned ones."""
    rng, labels = np.random.default_rng(5), fasttext.LABELS
    parts = [rng.standard_normal((256, size)).astype("<f4") for size in (2, 1)]
    codes = rng.integers(0, 256, (5, 2)).astype(np.uint8)
    norms = rng.random((256, 1)).astype("<f4")
    table = fasttext.quantised(codes, parts, np.arange(5, dtype=np.uint8), norms)[0]
    output = fasttext.quantised(codes[:2], parts)[0]
    supervised = fasttext.SUPERVISED
    return {
        "unsupervised": fasttext.model(),
        "supervised": fasttext.model(labels=labels, **supervised),
        "tree": fasttext.model(labels=labels, **{**supervised, "loss": 1}),
        "oldest": fasttext.model(version=0),
        "eleven": fasttext.model(version=11, labels=labels, **supervised),
        "pruned": fasttext.model(
            labels=labels,
            input=table,
            output=output,
            qout=True,
            kept=[(2, 1), (0, 0)],
            **supervised,
        ),
    }


def glove_counts() -> Samples:
    """Records with the words that they number: in firth's order, and in another one."""
    words = counted().vocabulary
    named = list(zip(words.words, words.counts.tolist(), strict=True))
    lines = [f"{word} {count}\n".encode() for word, count in named]
    records = file_of(counted().write_glove)
    turned = b"".join(records[at : at + 16] for at in range(len(records) - 16, -1, -16))
    return {
        "sorted": packed([b"".join(lines), records]),
        "turned": packed([b"".join(reversed(lines)), turned]),
    }


# ---- texts --------------------------------------------------------------------------------------

MIXED = TEXT.encode() + b"\xff\xfe a\0b\r\n\n\t  " + b"x" * 70 + b" no newline"
LABELLED = b"__label__a the cat\n__label__\xc3\xbc __label__c dog\nthe dog __label__zz\n\n"

EDGES = {
    "spaces": b"# nodes\n1 2\n2 3\n10 1\n",
    "weights": b'source,target,weight\na,b,0.5\n"b, c",a,2e3\na,a,1\n',
    "tabs": b"\xef\xbb\xbfx\ty z\t3\r\ny z\tw\t4\r\n",
    "semicolons": b"1;2;x;7\n2;3;y;8\n",
}
RATINGS = {
    "commas": b"user,item,rating,time\n1,10,4.5,100\n1,11,3,101\n2,10,5,90\n",
    "colons": b"1::10::4::100\n2::11::5::99\n3::10::1::3\n",
    "quotes": b'a,"x ""y"", z",1,5\nb,x,2,6\n',
    "tabs": b"\xef\xbb\xbfu1\ti1\t3\t1e3\r\nu2\ti2\t4\t-7\r\n",
}
LISTS = {
    "lists": b"0 1 2 3\n1 2\n2 3 1 0\n3\n",
    "names": b"ann x y\nbob y z w\n",
}
PAIRS = {
    "tabs": b"Word 1\tWord 2\tHuman (mean)\nthe\tcat\t7.5\ncat\tdog\t2\nthe\tdog\t3\n",
    "commas": b"# comment\nthe,cat,1\ncat,dog,2.5,x\nno,such,3\n",
    "spaces": b"\xef\xbb\xbfthe cat 1\r\nTHE dog 2\r\n",
}
QUESTIONS = {
    "sections": b": capitals\nthe cat dog k\xe4se\ncat the dog the\n: none\n: more\na b c d\n",
    "bare": b"# comment\nthe cat dog cat\nTHE CAT DOG THE",
}
LABELS = {"spaces": b"1 a\n2 b\n1 b\n10 a\n", "tabs": b"x y\tl 1\nz\tl 2\n", "one": b"1 a"}
VOCABULARY = {"some": b"the\t9\na\t2\nb b\t2\n\t1\n", "none": b"", "bytes": b"\xff\t1\n"}

COMPRESSORS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
OPENERS = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
FILES = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
try:
    from compression import zstd
except ImportError:
    try:
        from backports import zstd  # type: ignore[no-redef]
    except ImportError:
        zstd = None
if zstd is not None:
    COMPRESSORS["zst"], OPENERS["zst"] = zstd.compress, zstd.decompress
    FILES["zst"] = zstd.open


def unpacked(suffix: str, data: bytes) -> int:
    """Return how many bytes come out of what is compressed until it ends or breaks."""
    many = 0
    with contextlib.suppress(Exception), FILES[suffix](io.BytesIO(data)) as file:
        while piece := file.read(1 << 16):
            many += len(piece)
    return many


def compressed(suffix: str) -> Samples:
    """Return texts, also in two parts and with nothing in them."""
    pack = COMPRESSORS[suffix]
    return {
        "text": pack(MIXED),
        "parts": pack(TEXT.encode()) + pack(LABELLED),
        "many": pack(TEXT.encode() * 40),
    }
