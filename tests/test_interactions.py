"""Interactions: what they hold, how files are read, how they are divided, and what they refuse."""

import copy
import gzip
import io
import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from firth import FormatError, Interactions


def met(users, items, *rest, **options):
    """Interactions of names of one letter."""
    return Interactions(list(users), list(items), *rest, **options)


def triples(x):
    """What interactions say, as (user, item, value) in order."""
    users = np.repeat(np.arange(x.shape[0]), np.diff(x.csr.indptr))
    rows = zip(users, x.csr.indices, x.csr.data, strict=True)
    return [(x.users[u], x.items[i], float(v)) for u, i, v in rows]


@pytest.fixture
def written(tmp_path):
    def write(text, name="ratings.txt"):
        data = text if isinstance(text, bytes) else text.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


# ---- arrays and matrices ------------------------------------------------------------------------


def test_texts_are_named_in_their_order_and_numbers_in_that_of_numbers():
    x = Interactions(["b", "a", "b"], [10, 9, 9])
    assert (x.users, x.items) == (["a", "b"], ["9", "10"])
    assert triples(x) == [("a", "9", 1), ("b", "9", 1), ("b", "10", 1)]
    assert Interactions(["10", "9"], ["x", "x"]).users == ["9", "10"]
    assert Interactions(["10", "09"], ["x", "x"]).users == ["09", "10"]


def test_ids_with_gaps_have_no_rows_for_what_is_not_there():
    x = Interactions(np.array([7, 1_000_000_007]), np.array([0, 5], np.uint64))
    assert x.shape == (2, 2)
    assert x.users == ["7", "1000000007"]
    assert x.user_index["1000000007"] == 1


@pytest.mark.parametrize(
    ("duplicates", "value", "time"), [("sum", 6, 3), ("last", 2, 3), ("first", 1, 1), ("max", 3, 3)]
)
def test_a_pair_that_is_there_several_times_follows_the_rule(duplicates, value, time):
    x = met("aaab", "xxxy", [3, 2, 1, 1], [2, 3, 1, 0], duplicates=duplicates)
    assert triples(x)[0] == ("a", "x", value)
    assert x.times.tolist() == [time, 0]


def test_without_times_the_last_is_the_one_that_stands_last():
    assert triples(met("aa", "xx", [1, 2], duplicates="last")) == [("a", "x", 2)]
    assert triples(met("aa", "xx", [1, 2], duplicates="first")) == [("a", "x", 1)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 9)), min_size=1))
def test_values_are_added_up_as_a_dict_adds_them(rows):
    wanted = {}
    for user, item, value in rows:
        wanted[str(user), str(item)] = wanted.get((str(user), str(item)), 0) + value
    users, items, values = map(list, zip(*rows, strict=True))
    x = Interactions(users, items, values)
    assert {(u, i): v for u, i, v in triples(x)} == wanted
    assert len(x) == len(wanted)


def test_a_sparse_matrix_keeps_rows_without_entries():
    matrix = scipy.sparse.csr_array(np.array([[0, 2, 0], [0, 0, 0], [1, 0, 0]]))
    for source in (matrix, matrix.tocoo(), Interactions(matrix).csr):
        x = Interactions(source)
        assert x.shape == (3, 3)
        assert triples(x) == [("0", "1", 2), ("2", "0", 1)]
    with pytest.raises(ValueError, match="a matrix has its own values"):
        Interactions(matrix, values=[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["x", "y"]), "1 users but 2 items"),
        (((), ()), "no interactions"),
        (("a", "x", [np.nan]), r"values\[0\] is nan, expected a finite number above 0"),
        (("ab", "xy", [1, 0]), r"values\[1\] is 0"),
        (("a", "x", [1], [np.nan]), r"times\[0\] is nan, expected a time"),
        (("a", "x", [1, 2]), r"values has shape \(2,\), expected \(1,\)"),
        (("a", "x", None, [1, 2]), r"times has shape \(2,\)"),
        (("aa", "xx", [3e38, 3e38]), "more than float32"),
    ],
)
def test_numbers_that_say_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interactions(*(list(one) if isinstance(one, str) else one for one in arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.5], ["x"]), r"users\[0\] is float"),
        (([None], ["x"]), r"users\[0\] is NoneType"),
        ((["a"], ["x"], ["5"]), "values: dtype"),
        ((["a"], ["x"], None, ["now"]), "times: dtype"),
        ((5,), "expected a sparse matrix"),
    ],
)
def test_other_types_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        Interactions(*arguments)


def test_dates_are_times():
    when = np.array(["2020-01-02", "2020-01-01"], "datetime64[D]")
    x = met("ab", "xy", times=when)
    train, test = x.split(before=np.datetime64("2020-01-02"))
    assert (triples(train), triples(test)) == ([("b", "y", 1)], [("a", "x", 1)])
    with pytest.raises(ValueError, match="NaT"):
        met("a", "x", times=np.array(["NaT"], "datetime64[D]"))


def test_pickles_and_copies_hold_the_same():
    x = met("aab", "xyx", [1, 2, 3], [4, 5, 6])
    for other in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert triples(other) == triples(x)
        assert other.times.tolist() == x.times.tolist()
    assert repr(x) == "Interactions(2 users, 2 items, 3 interactions)"
    assert x.of("a") == ["x", "y"]
    with pytest.raises(KeyError, match="'c'"):
        x.of("c")


# ---- files --------------------------------------------------------------------------------------

ROWS = [("1", "20", 3.0), ("2", "5", 4.5), ("10", "5", 1.0)]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "::", " ", "|"])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ratings_are_read_whatever_stands_between_them(written, delimiter, header, end):
    lines = ["user,item,rating,at".replace(",", delimiter)] if header else []
    lines += [delimiter.join([u, i, str(r), str(n)]) for n, (u, i, r) in enumerate(ROWS)]
    for name in ("ratings.txt", "ratings.gz"):
        path = written(end.join(lines), name)
        given = delimiter if delimiter == "|" else None
        x = Interactions.read(path, rating=2, time=3, delimiter=given)
        assert triples(x) == ROWS
        assert x.times.tolist() == [0, 1, 2]
        assert x.times.dtype == np.int64
    if header:
        named = {"user": "user", "item": "item", "rating": "rating", "delimiter": given}
        assert triples(Interactions.read(path, **named)) == ROWS


def test_a_header_is_found_out_by_names_above_numbers(written):
    path = written("userId,movieId,rating\n1,20,3.0\n2,5,4.5\n10,5,1.0\n")
    assert len(Interactions.read(path)) == 3
    assert Interactions.read(written("ann,tea\nbob,rum\n")).users == ["ann", "bob"]
    assert Interactions.read(written("who,what\nbob,rum\n"), header=True).users == ["bob"]


def test_lists_of_items_are_read_with_users_who_have_none(written):
    path = written("0 5 7 9\n1\n2 5 \n\n")
    x = Interactions.read(path)
    assert (x.users, x.items) == (["0", "1", "2"], ["5", "7", "9"])
    assert np.diff(x.csr.indptr).tolist() == [3, 0, 1]
    same = Interactions.read(written("0 5 7\n1 5 9\n"), lists=True)
    assert [len(x.of("0")), len(same.of("1"))] == [3, 2]


def test_low_ratings_are_no_interactions_but_their_users_stay(written):
    x = Interactions.read(written("1,2,5\n1,3,1\n4,3,-2\n"), rating=2, least=4)
    assert (x.users, x.items, len(x)) == (["1", "4"], ["2", "3"], 1)


def test_quoted_fields_may_hold_what_stands_between(written):
    path = written('user,item\n1,"Tea, black"\n2,"He said ""no"""\n')
    assert Interactions.read(path).items == ['He said "no"', "Tea, black"]
    with pytest.raises(FormatError, match="line 2: expected quotes as in CSV"):
        Interactions.read(written('1,2\n1,"Tea\n'))


def test_names_are_kept_whatever_bytes_they_have(written):
    long = "x" * 300
    text = f"ä,\u4e2d\u6587\n{long},-1\n007,7\n".encode() + b"\xff,e\n"
    x = Interactions.read(written(text))
    assert x.users == ["007", long, "ä", "\udcff"]
    assert set(x.items) == {"中文", "-1", "7", "e"}


def test_pieces_do_not_matter(written, monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 300, (2000, 2))
    text = "\n".join(f"{a},{b if a % 3 else f'n{b}'},{1 + a % 5}" for a, b in rows)
    whole = Interactions.read(written(text), rating=2)
    monkeypatch.setattr("firth._columns.PIECE", 501)
    parts = Interactions.read(written(text), rating=2)
    assert triples(parts) == triples(whole)
    assert parts.users == whole.users


def test_open_files_are_read_to_their_end():
    assert len(Interactions.read(io.BytesIO(b"1\t2\n1\t3"))) == 2
    assert len(Interactions.read(io.StringIO("1\t2\n1\t3\n"))) == 2


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "expected interactions, found nothing"),
        (" \n\n", {}, "expected interactions, found nothing"),
        ("\x01\x00", {}, "line 1: expected users and items, found control characters alone"),
        ("a,b\n", {"header": True}, "none that is left"),
        ("1,2\n3\n", {}, "line 2: expected item in field 2, found 1 fields"),
        ("1,2,3\n1,3,x\n", {"rating": 2}, "line 2: expected a finite number as rating, found 'x'"),
        ("1,2,nan\n", {"rating": 2, "header": False}, "line 1: expected a finite number as rating"),
        ("1,2,3\n\n1,3,inf\n", {"rating": 2}, "line 3: expected a finite number as rating"),
        ("1,2,3\n1,3,\n", {"time": 2}, "line 2: expected a finite number as time, found ''"),
        ("1,2,3\n1,3,0\n", {"rating": 2}, "line 2: expected a rating above 0, as least"),
        ("1,2\n,3\n", {}, "line 2: expected a name of the user, found ''"),
        ("a,b\n1,2\n", {"user": "c"}, "header: expected a column 'c'"),
        ("1::2\n1::\x1e\n", {}, "line 2: expected text, found a control character"),
    ],
)
def test_broken_files_are_named_with_their_line(written, text, options, message):
    with pytest.raises(FormatError, match=message):
        Interactions.read(written(text), **options)


def test_damaged_compression_is_a_format_error(written, tmp_path):
    path = written("1,2\n" * 1000, "x.gz")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="gz data"):
        Interactions.read(path)
    with pytest.raises(FileNotFoundError):
        Interactions.read(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": -1}, "user=-1 is not at least 0"),
        ({"least": 3}, "least=3 needs rating"),
        ({"lists": True, "rating": 2}, "lists have no columns rating"),
        ({"user": "a", "header": False}, "header=False says that there are none"),
        ({"duplicates": "mean"}, "duplicates='mean'"),
    ],
)
def test_arguments_that_contradict_are_refused(written, options, message):
    with pytest.raises(ValueError, match=message):
        Interactions.read(written("1 2 3\n1 3 4\n"), **options)


def test_real_ratings_are_read(data):
    x = Interactions.read(data / "rec/ml-100k/u.data.gz", rating=2, time=3)
    assert repr(x) == "Interactions(943 users, 1682 items, 100000 interactions)"
    train, test = x.split(leave=2)
    assert len(test) == 2 * 943
    assert float(train.csr.data.max()) == 5


# ---- splits -------------------------------------------------------------------------------------


def some(times=True):
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 20, 300), rng.integers(0, 50, 300)
    return Interactions(users, items, times=rng.integers(0, 99, 300) if times else None)


def test_leaving_some_out_takes_the_last_of_each_user():
    x = some()
    train, test = x.split(leave=3)
    assert set(triples(train)) | set(triples(test)) == set(triples(x))
    assert len(train) + len(test) == len(x)
    assert (train.users, test.items) == (x.users, x.items)
    for row in range(20):
        kept, held = (p.times[p.csr.indptr[row] : p.csr.indptr[row + 1]] for p in (train, test))
        assert len(held) == 3
        assert kept.max() <= held.min()


def test_users_with_too_little_keep_all():
    x = met("aab", "xyx")
    train, test = x.split(leave=1)
    assert [np.diff(p.csr.indptr).tolist() for p in (train, test)] == [[1, 1], [1, 0]]


def test_a_share_is_of_each_user_and_depends_on_the_seed():
    x = some(times=False)
    _, test = x.split(share=0.25)
    counts = np.diff(x.csr.indptr)
    assert np.diff(test.csr.indptr).tolist() == (counts // 4).tolist()
    assert triples(x.split(share=0.25)[1]) == triples(test)
    assert triples(x.split(share=0.25, seed=2)[1]) != triples(test)
    assert triples(some().split(share=0.25, latest=False)[1]) == triples(test)


def test_a_time_divides():
    x = some()
    train, test = x.split(before=50)
    assert train.times.max() < 50 <= test.times.min()
    assert len(train) + len(test) == len(x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"leave": 1, "share": 0.5}, "exactly one"),
        ({"leave": 0}, "leave=0 is not between 1"),
        ({"share": 1.5}, "share=1.5 is not between 0 and 1"),
        ({"share": 1.0}, "leaves 0 of"),
        ({"share": 0}, "to train on"),
        ({"before": 5}, "there are no times"),
        ({"leave": 1, "latest": True}, "there are no times"),
    ],
)
def test_splits_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        some(times=False).split(**options)


# ---- others made of them ------------------------------------------------------------------------


def test_names_that_end_in_a_zero_are_names_of_their_own():
    assert Interactions(["a", "a\0", "b"], ["x", "x\0\0", "x"]).users == ["a", "a\0", "b"]
    assert Interactions(("a", "a\0"), ["x", "x\0"]).items == ["x", "x\0"]


def test_names_of_numpy_are_plain_texts():
    made = Interactions([np.str_("b"), "a"], np.array(["x", "y"]))
    assert [type(name) for name in made.users + made.items] == [str] * 4


def test_texts_and_numbers_are_not_mixed():
    with pytest.raises(TypeError, match=r"Interactions: users\[1\] is int, expected texts or"):
        Interactions(["a", 7], ["x", "y"])
    with pytest.raises(TypeError, match=r"Interactions: users\[0\] is int, expected texts or"):
        Interactions([7, "a"], ["x", "y"])
    with pytest.raises(TypeError, match=r"Interactions: items\[1\] is bytes, expected texts or"):
        Interactions(["a", "b"], ["x", b"y"])


def test_names_of_another_come_first():
    x, y = met("bca", "xyz"), met("da", "zw")
    like = y.like(x)
    assert (like.users, like.items) == (["a", "b", "c", "d"], ["x", "y", "z", "w"])
    assert triples(like) == [("a", "w", 1), ("d", "z", 1)]


def test_sessions_are_in_the_order_of_times():
    x = met("aaabb", "xyzxy", times=[3, 1, 2, 9, 8])
    corpus = x.sessions()
    assert [corpus.sentence(i) for i in range(2)] == [["y", "z", "x"], ["y", "x"]]
    assert dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts, strict=True)) == {
        "x": 2,
        "y": 2,
        "z": 1,
    }
