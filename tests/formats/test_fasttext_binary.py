"""fastText's binary format: real files of every version, exact vectors, the bytes written."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fasttext_files as made
import firth
from fasttext_files import LABELS, SUPERVISED, WORDS, mean, ngrams, parse, quantised, rows
from firth import Embedding, FormatError
from firth.classifier import Classifier
from firth.formats import FORMATS
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords
from strategies import finite, token_keys

FORMAT = "fasttext-binary"
OLDEST, ELEVEN = "lee_fasttext", "lee_fasttext_new"
TWELVE = ["crime-and-punishment", "finalfusion_fasttext", "toy-model", "toy-model-pretrained"]
LABELLED = "pang_lee_polarity_fasttext"
REAL = [OLDEST, ELEVEN, *TWELVE, LABELLED]


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of this format."""

    def reading(content, limit=None):
        (tmp_path / "a.bin").write_bytes(content)
        return firth.read(tmp_path / "a.bin", FORMAT, limit)

    return reading


@pytest.fixture
def written(tmp_path):
    """Write an embedding and return the bytes of the file."""

    def writing(emb):
        emb.write(tmp_path / "written.bin", format=FORMAT)
        return (tmp_path / "written.bin").read_bytes()

    return writing


# ---- real files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [OLDEST, "crime-and-punishment", "toy-model", LABELLED])
def test_vectors_are_those_that_fasttext_printed(data, name):
    emb = firth.read(data / "formats" / f"{name}.bin")
    text = (data / "formats" / f"{name}.vec").read_bytes().decode("utf-8", "surrogateescape")
    header, *lines = text.rstrip("\n").split("\n")
    assert header == f"{len(emb)} {emb.dim}"
    assert [line.split(" ")[0] for line in lines] == emb.keys
    printed = [line.split()[1:] for line in lines]
    assert printed == [[f"{x:.5g}" for x in vector] for vector in emb.vectors.tolist()]


def unseen(words, count):
    """Return words that are not among the given ones: pieces of them put together anew."""
    rng = np.random.default_rng(0)
    halves = [word[: len(word) // 2 + 1] for word in words if len(word) > 1]
    found = {"日本語の", "naïve🙂", "x", "é", "\udcff\udc80", "<", "a" * 300}
    while len(found) < count:
        a, b = rng.integers(len(halves), size=2)
        found.add(halves[a] + halves[b])
    return sorted(found - set(words))[:count]


@pytest.mark.parametrize("name", [name for name in REAL if name != LABELLED])
def test_unseen_words_are_the_means_of_the_raw_rows(data, name):
    path = data / "formats" / f"{name}.bin"
    emb = firth.read(path)
    arguments, words, labels, input, output = parse(path.read_bytes())
    assert [list(pair) for pair in zip(*words, strict=True)] == [emb.keys, emb.counts.tolist()]
    assert not labels
    rule = arguments["minn"], arguments["maxn"], arguments["bucket"]
    assert (emb.rule.min_n, emb.rule.max_n, emb.rule.buckets) == rule
    for word in unseen(emb.keys, 200):
        bag = [len(words) + bucket for bucket in ngrams(word, *rule)]
        assert emb.has_vector(word) == bool(bag)
        if bag:
            np.testing.assert_array_equal(emb[word], mean(input, bag))
    np.testing.assert_array_equal(emb.output, output)
    for row, word in enumerate(emb.keys):
        if word != "</s>":
            bag = [row, *(len(words) + bucket for bucket in ngrams(word, *rule))]
            np.testing.assert_array_equal(emb[word], mean(input, bag))
            np.testing.assert_array_equal(emb.input[row], input[row])
    np.testing.assert_array_equal(emb.input[len(words) :], input[len(words) :])


def test_the_end_of_a_line_has_ngrams_in_the_oldest_files_only(data):
    for name, own in [(OLDEST, False), (ELEVEN, True), ("crime-and-punishment", True)]:
        path = data / "formats" / f"{name}.bin"
        emb = firth.read(path)
        arguments, words, _, input, _ = parse(path.read_bytes())
        row = emb.index["</s>"]
        hashed = ngrams("</s>", arguments["minn"], arguments["maxn"], arguments["bucket"])
        bag = [row] if own else [row, *(len(words) + bucket for bucket in hashed)]
        np.testing.assert_array_equal(emb["</s>"], mean(input, bag))
        assert emb.bag("</s>").tolist() == [row]


@pytest.mark.parametrize("name", [*TWELVE, LABELLED])
def test_what_was_read_from_version_12_is_written_byte_by_byte(data, written, name):
    path = data / "formats" / f"{name}.bin"
    assert written(firth.read(path)) == path.read_bytes()


@pytest.mark.parametrize("name", [OLDEST, ELEVEN])
def test_older_versions_are_written_as_version_12(data, written, read, name):
    emb = firth.read(data / "formats" / f"{name}.bin")
    raw = written(emb)
    found = read(raw)
    assert struct.unpack_from("<2i", raw) == (made.MAGIC, 12)
    assert found.metadata["fasttext"].pop("version") == 12
    assert emb.metadata["fasttext"].pop("version") == {OLDEST: 0, ELEVEN: 11}[name]
    assert same(emb, found)


def test_a_supervised_model_has_labels(data):
    model = firth.read(data / "formats" / f"{LABELLED}.bin")
    assert isinstance(model, Classifier)
    assert model.labels == ["__label__pos", "__label__neg"]
    assert (model.loss, model.word_ngrams, model.output.shape) == ("softmax", 1, (2, 100))
    assert model.rule == Subwords(0, 0, 0)
    assert np.shares_memory(model.vectors, model.input)
    assert model.label_counts.tolist() == [100, 100]


# ---- what a file says ---------------------------------------------------------------------------


def same(a, b):
    """Say whether two models are the same, number by number."""
    keys = (a.keys, a.rule, a.metadata) == (b.keys, b.rule, b.metadata)
    arrays = [(a.input, b.input), (a.output, b.output), (a.vectors, b.vectors)]
    arrays += [(a.counts, b.counts), (a.kept, b.kept)]
    return keys and all(np.array_equal(left, right) for left, right in arrays)


def test_a_model_is_what_its_bytes_say(read):
    emb = read(made.model())
    assert type(emb) is SubwordEmbedding
    assert emb.keys == ["the", "</s>", "käse"]
    assert emb.counts.tolist() == [9, 5, 2]
    assert emb.rule == Subwords(2, 3, 4)
    np.testing.assert_array_equal(emb.input, rows(7))
    np.testing.assert_array_equal(emb.output, rows(3, seed=1))
    assert emb.input.flags.writeable
    names = ("ws", "epoch", "minCount", "neg", "wordNgrams", "loss", "model", "minn", "maxn")
    expected = {name: made.ARGUMENTS[name] for name in names}
    expected |= {"version": 12, "lrUpdateRate": 100, "t": 1e-4, "ntokens": 123}
    assert emb.metadata == {"fasttext": expected}


@pytest.mark.parametrize(
    ("minn", "maxn", "rule"),
    [(0, 0, (0, 0)), (3, 0, (0, 0)), (4, 3, (0, 0)), (0, 2, (1, 2)), (1, 1, (1, 1))],
)
def test_all_lengths_of_ngrams_mean_what_they_mean_to_fasttext(read, written, minn, maxn, rule):
    raw = made.model(minn=minn, maxn=maxn)
    emb = read(raw)
    assert (emb.rule.min_n, emb.rule.max_n) == rule
    bag = [0, *(3 + bucket for bucket in ngrams("the", minn, maxn, 4))]
    np.testing.assert_array_equal(emb["the"], mean(emb.input, bag))
    assert written(emb) == raw


def test_labels_of_an_unsupervised_model_are_kept(read, written):
    raw = made.model(labels=LABELS)
    emb = read(raw)
    assert emb.keys == ["the", "</s>", "käse"]
    assert emb.metadata["fasttext"]["labels"] == dict(LABELS)
    assert written(emb) == raw


@pytest.mark.parametrize(("number", "loss"), [(1, "hs"), (2, "ns"), (3, "softmax"), (4, "ova")])
def test_a_classifier_is_what_its_bytes_say(read, written, number, loss):
    raw = made.model(labels=LABELS, **{**SUPERVISED, "loss": number})
    model = read(raw)
    assert (model.loss, model.word_ngrams, model.labels) == (loss, 2, [name for name, _ in LABELS])
    assert model.label_counts.tolist() == [4, 3]
    np.testing.assert_array_equal(model.output, rows(2, seed=1))
    assert written(model) == raw


def test_older_supervised_models_have_no_character_ngrams(read, written):
    for version in (0, 11):
        model = read(made.model(labels=LABELS, version=version, **SUPERVISED))
        assert model.rule == Subwords(0, 0, 4)
        np.testing.assert_array_equal(model.vectors, model.input[:3])
        assert read(written(model)).rule == Subwords(0, 0, 4)


@pytest.mark.parametrize("version", [0, 11, 12])
@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_a_limit_cuts_words_and_keeps_buckets(read, version, limit):
    raw = made.model(version=version)
    whole, cut = read(raw), read(raw, limit)
    left = min(limit, 3)
    assert cut.keys == whole.keys[:left]
    np.testing.assert_array_equal(cut.vectors, whole.vectors[:left])
    np.testing.assert_array_equal(cut.output, whole.output[:left])
    np.testing.assert_array_equal(cut["unseen"], whole["unseen"])
    assert cut.counts.tolist() == whole.counts[:left].tolist()


def test_a_limit_keeps_labels_and_drops_a_tree_of_words(read):
    model = read(made.model(labels=LABELS, **SUPERVISED), 1)
    assert (model.keys, len(model.labels), len(model.output)) == (["the"], 2, 2)
    assert read(made.model(loss=1), 2).output is None
    assert read(made.model(loss=1), 3).output.shape == (3, 3)


# ---- quantised models ---------------------------------------------------------------------------

RNG = np.random.default_rng(3)
PARTS = [RNG.standard_normal((256, size)).astype("<f4") for size in (2, 1)]
NORMS = RNG.random((256, 1)).astype("<f4")


def codes(count, parts=2):
    """Return random codes (rows, parts)."""
    return np.random.default_rng(count).integers(0, 256, (count, parts)).astype(np.uint8)


@pytest.mark.parametrize("qnorm", [False, True])
@pytest.mark.parametrize("qout", [False, True])
def test_quantised_rows_are_centroids_times_norms(read, qnorm, qout):
    norms = {"norm_codes": codes(7, 1)[:, 0], "norms": NORMS} if qnorm else {}
    raw, table = quantised(codes(7), PARTS, **norms)
    output, scores = quantised(codes(2), PARTS) if qout else (None, rows(2, seed=1))
    file = made.model(labels=LABELS, input=raw, output=output, qout=qout, **SUPERVISED)
    model = read(file)
    np.testing.assert_array_equal(model.input, table)
    np.testing.assert_array_equal(model.output, scores)
    assert model.kept is None
    cut = read(file, 1)
    np.testing.assert_array_equal(cut.input, table[[0, 3, 4, 5, 6]])
    np.testing.assert_array_equal(cut["unseen"], model["unseen"])


@pytest.mark.parametrize("kept", [[(2, 1), (0, 0)], [], [(3, 0), (1, 1), (0, 2), (2, 3)]])
def test_pruned_models_leave_ngrams_out(read, written, kept):
    raw, table = quantised(codes(3 + len(kept)), PARTS)
    model = read(made.model(labels=LABELS, input=raw, kept=kept, **SUPERVISED))
    where = dict(kept)
    assert model.kept.tolist() == [where.get(bucket, -1) for bucket in range(4)]
    for word in ("käsekuchen", "the"):
        bag = [3 + where[bucket] for bucket in ngrams(word, 2, 3, 4) if bucket in where]
        bag = [model.index[word], *bag] if word in model else bag
        if bag:
            np.testing.assert_array_equal(model[word], mean(table, bag))
        else:
            assert not model.has_vector(word)
    with pytest.raises(ValueError, match="fasttext-binary: a pruned model cannot be written"):
        written(model)


# ---- what is written ----------------------------------------------------------------------------


def test_a_plain_embedding_becomes_a_model_without_ngrams(written):
    emb = Embedding(["king", "queen"], [[1, -2.5], [0.5, 3]], [7, 4])
    arguments, words, labels, input, output = parse(written(emb))
    assert words == [("king", 7), ("queen", 4)]
    assert (labels, input.tolist(), output.tolist()) == ([], emb.vectors.tolist(), [[0, 0]] * 2)
    expected = {"dim": 2, "bucket": 0, "minn": 0, "maxn": 0, "model": 2, "loss": 2, "minCount": 1}
    assert arguments.items() >= expected.items()


def test_arguments_are_taken_from_how_a_model_was_trained(written):
    settings = {"window": 3, "epochs": 9, "negative": 8, "min_count": 2, "sample": 1e-3}
    emb = SubwordEmbedding(
        ["a"], rows(4), Subwords(2, 5, 3), [6], {**settings, "cbow": True, "tokens": 44}
    )
    raw = written(emb)
    arguments = parse(raw)[0]
    expected = {"ws": 3, "epoch": 9, "neg": 8, "minCount": 2, "model": 1, "loss": 2}
    expected |= {"bucket": 3, "minn": 2, "maxn": 5, "dim": 3, "wordNgrams": 1, "lrUpdateRate": 100}
    assert arguments == expected
    assert struct.unpack_from("<d3iq", raw, 56) == (1e-3, 1, 1, 0, 44)


@pytest.mark.parametrize("value", ["x", None, -1, 1 << 40, float("nan"), [], True, {}])
def test_any_metadata_give_a_file_that_is_read(written, read, value):
    names = ("window", "epochs", "min_count", "sample", "tokens", "cbow", "fasttext")
    metadata = dict.fromkeys(names, value)
    known = (*made.ARGUMENTS, "version", "t", "ntokens", "labels")
    for notes in (metadata, {"fasttext": dict.fromkeys(known, value)}):
        emb = SubwordEmbedding(["a"], rows(4), Subwords(2, 5, 3), [6], notes)
        found = read(written(emb))
        assert (found.keys, found.rule) == (["a"], emb.rule)


def test_counts_that_are_not_known_are_ones(written, read):
    assert read(written(Embedding(["a", "b"], [[1], [2]]))).counts.tolist() == [1, 1]


@pytest.mark.parametrize("key", ["", " ", "New York", "a\t", "a\nb", "\r", "a\0", "\v", "\f"])
def test_keys_that_no_text_can_have_are_refused(written, key):
    with pytest.raises(ValueError, match=r"fasttext-binary: key .* white space or a NUL"):
        written(Embedding(["a", key], [[1], [2]]))


def test_keys_that_were_read_are_written(read, written):
    raw = made.model([("", 3), ("New York", 2), ("\udcff", 1)])
    assert read(raw).keys == ["", "New York", "\udcff"]
    assert written(read(raw)) == raw


def test_a_rule_of_floret_is_refused(written):
    with pytest.raises(ValueError, match=r"fasttext-binary: floret's rule .hashes=2"):
        written(SubwordEmbedding([], rows(3), Subwords(2, 3, 3, 2)))


@st.composite
def models(draw):
    """Draw a model with or without n-grams, labels and numbers of any size."""
    keys = draw(st.lists(token_keys, unique=True, max_size=6))
    least = draw(st.integers(1, 3))
    most = draw(st.sampled_from([0, least, least + 2]))
    rule = Subwords(least, most, draw(st.integers(1 if most else 0, 5)))
    dim = draw(st.integers(1, 4))
    number = finite.filter(lambda x: abs(x) < 1e37)
    count = (len(keys) + rule.buckets) * dim
    table = np.array(draw(st.lists(number, min_size=count, max_size=count)), np.float32)
    return keys, table.reshape(-1, dim), rule


@given(models(), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, parts, supervised):
    keys, table, rule = parts
    path = tmp_path_factory.mktemp("a") / "a"
    if supervised:
        keys = [f"_{key}" for key in keys]
        output = np.ones((2, table.shape[1]), np.float32)
        emb = Classifier(keys, table, rule, output, ["__label__a", "__label__b"], loss="ova")
    else:
        emb = SubwordEmbedding(keys, table, rule, list(range(len(keys))))
    emb.write(path, format=FORMAT)
    found = firth.read(path)
    assert (type(found), found.keys) == (type(emb), emb.keys)
    assert found.input.tobytes() == emb.input.tobytes()
    assert np.array_equal(found.vectors, emb.vectors)
    assert (found.rule.max_n, found.rule.buckets) == (rule.max_n, rule.buckets)
    before = path.read_bytes()
    found.write(path, format=FORMAT)
    assert path.read_bytes() == before


# ---- what is recognised -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 11, 12])
@pytest.mark.parametrize("labels", [[], LABELS])
def test_every_version_is_recognised(tmp_path, version, labels):
    path = tmp_path / "a"
    path.write_bytes(made.model(labels=labels, version=version, **(SUPERVISED if labels else {})))
    assert firth.read(path).keys == [word for word, _ in WORDS]


def test_the_oldest_version_is_recognised_only_if_all_sizes_fit(tmp_path):
    path = tmp_path / "a"
    good = made.model(version=0)
    for content in (good + b"\0", good[:-1], b"\4" + good[1:], good[:40], good[:3], good[3:]):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=f"expected one of the formats {', '.join(FORMATS)}"):
            firth.read(path)


def test_other_versions_are_named(read):
    for version in (-1, 0, 10, 13):
        content = made.model()[:4] + struct.pack("<i", version) + made.model()[8:]
        expected = rf"byte 4 .version.: expected 11 to 12, found {version}"
        with pytest.raises(FormatError, match=expected):
            read(content)
