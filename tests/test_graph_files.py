"""Graph.read: edge lists as text, in any shape, whole or broken."""

import bz2
import gzip
import io
import lzma
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import FormatError, Graph, _edge_lists
from graphs import KARATE, cells, same

TEXT = b"ann\tbob\t1.5\nbob\tcid\t2\nann\tbob\t0.25\n"
GRAPH = Graph([("ann", "bob", 1.5), ("bob", "cid", 2), ("ann", "bob", 0.25)])


def read(text, **options):
    return Graph.read(io.BytesIO(text), **options)


class Dribble:
    """An open file that gives a few bytes at a time."""

    name = "dribble"

    def __init__(self, text, step):
        self.pieces = [text[at : at + step] for at in range(0, len(text), step)][::-1]

    def read(self, size=-1):
        return self.pieces.pop() if self.pieces else b""


# ---- what lines mean ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (b"1 2\n2 3\n", {}, [(1, 2), (2, 3)]),
        (b"1 2\n2 3", {}, [(1, 2), (2, 3)]),
        (b"\n\n  1   2 \r\n\r\n2\t3\r\n", {}, [(1, 2), (2, 3)]),
        (b"\xef\xbb\xbf1,2\n2,3\n", {}, [(1, 2), (2, 3)]),
        (b"# 5 6\n1 2\n  #x\n2 3\n#", {}, [(1, 2), (2, 3)]),
        (b"% 5 6\n1 2\n2 3\n", {"comment": "%"}, [(1, 2), (2, 3)]),
        (b"#a b\nb c\n", {"comment": None}, [("#a", "b"), ("b", "c")]),
        (b"# a b\na b\n1 2\n", {}, [(1, 2)]),  # names above numbers
        (b"a b\n1 2\n", {"header": False}, [("a", "b"), (1, 2)]),
        (b"x 5\n1 2\n", {}, [("x", "5"), ("1", "2")]),  # has a number itself
        (b"Source,Target\nann,bob\n", {}, [("ann", "bob")]),
        (b"from,to\nann,bob\n", {"header": True}, [("ann", "bob")]),
        (b"ann,bob\n", {"header": True, "nodes": 1}, []),
        (b"ann bob\n", {}, [("ann", "bob")]),
        (b"a b c d\nb c e f\n", {}, [("a", "b"), ("b", "c")]),
        (b"a b 1 x\nb c 2 y\n", {}, [("a", "b", 1), ("b", "c", 2)]),
        (b"a b 1 x\nb c 2 y\n", {"weighted": False}, [("a", "b"), ("b", "c")]),
        (b"a b 1 x\nb c 2\n", {"weighted": True}, [("a", "b", 1), ("b", "c", 2)]),
        (b"a b\nb c 2\nc d e f\n", {"weighted": False}, [("a", "b"), ("b", "c"), ("c", "d")]),
        (b"a b +1.50e+0\nb c .5\nc d 5.\n", {}, [("a", "b", 1.5), ("b", "c", 0.5), ("c", "d", 5)]),
        (b"a|b|2\n", {"delimiter": "|"}, [("a", "b", 2)]),
        (b"a;b,c;2\n", {"delimiter": ";"}, [("a", "b,c", 2)]),
        (b"a,x b\nb c\n", {"delimiter": " "}, [("a,x", "b"), ("b", "c")]),
        (b" New York , Rome ,2\nRome,\tNew York,1\n", {}, [("New York", "Rome", 3)]),
        (b"a b\tc  d\na b\t e\n", {}, [("a b", "c  d"), ("a b", "e")]),
        (b'"a, b",c\nc,"d;""e"\n', {}, [("a, b", "c"), ("c", 'd;"e')]),
        (b'"a\tb";c\nc; "d"\n', {"delimiter": ";"}, [("a\tb", "c"), ("c", "d")]),
        (b'"a"\tb\nb\tc"\n', {}, [('"a"', "b"), ("b", 'c"')]),  # no quotes beside tabs
        (b"a,b,\nb,c,\n", {}, [("a", "b"), ("b", "c")]),  # what is not used may be missing
        (b"a,b,3,,\nb,c,4,,x\n", {}, [("a", "b", 3), ("b", "c", 4)]),
        (b"\xff \xc3\xa9\n", {}, [("\udcff", "é")]),
        (b"10 9\n007 9\n", {}, [("10", "9"), ("007", "9")]),
    ],
)
def test_lines(text, options, expected):
    nodes = options.get("nodes")
    edges = [tuple(map(str, row[:2])) + row[2:] for row in expected]
    for step in (None, 1, 7):
        source = io.BytesIO(text) if step is None else Dribble(text, step)
        assert same(Graph.read(source, **options), Graph(edges, nodes=nodes))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (b"a b\nc\n", {}, r"line 2: expected two nodes, found 1 columns, 'c'"),
        (b"#\n\na b\r\n\r\nc\r\n", {}, "line 5: expected two nodes"),
        (b"a,b\nc,\n", {}, "line 2: expected two nodes, found 1 columns, 'c,'"),
        (b"a,,5\nb,c,5\n", {}, "line 1: expected two nodes and a weight, found 2 columns"),
        (b"a\tb\t1\nc\t\t2\n", {}, "line 2: expected two nodes and a weight, found 2 columns"),
        (b"a,b,1\nc,d,\n", {}, "line 2: expected two nodes and a weight, found 2 columns"),
        (b"a b 1\nc d\n", {}, "line 2: expected two nodes and a weight, found 2 columns"),
        (b"a b\nc d 1\n", {}, "line 2: expected 2 columns as in the first line, found 3, 'c d 1'"),
        (b"a b\nc d\n", {"weighted": True}, "line 1: expected two nodes and a weight"),
        (b"a b 1\nc d x\n", {}, "line 2: expected a number as weight, found 'x'"),
        (b"a b 1\nc d 1_0\n", {}, "line 2: expected a number as weight, found '1_0'"),
        (b"a b 1\nc d 0x10\n", {}, "line 2: expected a number as weight, found '0x10'"),
        (b"a b 1\nc d 1-2\n", {}, "line 2: expected a number as weight, found '1-2'"),
        (b"a b 1\nc d 1-2\ne f x\n", {}, "line 2: expected a number as weight"),
        (b"a b 1\nc d 1,5\n", {"delimiter": " "}, "line 2: expected a number as weight"),
        (b"a b\nc \0\n", {}, "line 2: expected text, found the byte 0x00"),
        (b"a,b\nc,d\x1fe\n", {}, "line 2: expected text, found the byte 0x1f"),
        ("a b\n".encode("utf-16"), {}, "line 1: expected text, found the byte 0x00"),
        (b"a b\rc d\r", {}, "line 1: expected lines that end with a newline, found a carriage"),
        (b'"a,b\nc,d\n', {}, "line 1: expected simple quotes, found '\"a,b'"),
        (b'a,b\n"c"d,e\n', {}, "line 2: expected simple quotes"),
        (b"a b\n" + b"x" * (2 << 20), {}, "line 2: expected at most 1048576 bytes, found more"),
        (b"x" * (2 << 20) + b"\na b\n", {}, "line 1: expected at most 1048576 bytes"),
    ],
)
def test_broken_lines_are_named(text, options, message, file):
    with pytest.raises(FormatError, match=message) as whole:
        Graph.read(file(text, "broken.txt"), **options)
    assert str(whole.value).startswith(str(file(text, "broken.txt")))
    step = 1 if len(text) < 1000 else 100_000
    with pytest.raises(FormatError, match=f"dribble: {message}"):
        Graph.read(Dribble(text, step), **options)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (b"", {}, r"Graph\.read: the graph is empty"),
        (b"# only\n", {}, r"Graph\.read: the graph is empty"),
        (b"a b 1\nb c -2\n", {}, "edge 1, from 'b' to 'c', has the weight -2.0, expected a number"),
        (b"a b nan\n", {}, "edge 0, from 'a' to 'b', has the weight nan"),
        (b"a b inf\n", {}, "has the weight inf"),
        (b"a b 0\n", {}, "has the weight 0.0"),
        (b"a b 1e400\n", {}, "has the weight inf"),
        (b"1 2\n", {"nodes": 2}, r"Graph\.read: node '2' is not one of 0 to 1"),
        (b"1 2\n", {"delimiter": "::"}, "delimiter='::' is not one character"),
        (b"1 2\n", {"delimiter": "\n"}, "is not one character"),
        (b"1 2\n", {"delimiter": 5}, "delimiter=5 is not one character"),
        (b"1 2\n", {"comment": ""}, "comment='' is no text"),
        (b"1 2\n", {"header": "yes"}, "header='yes' is not False or True"),
        (b"1 2\n", {"twins": "mean"}, "twins='mean' is neither"),
    ],
)
def test_other_errors(text, options, message):
    with pytest.raises((TypeError, ValueError), match=message) as error:
        read(text, **options)
    assert not isinstance(error.value, FormatError)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5, "source is int, expected a path, paths or an open file"),
        ([], "there is no file to read"),
        ([5], r"source\[0\] is int, expected paths"),
        ([("a", "b")], r"source\[0\] is tuple, expected paths"),
    ],
)
def test_sources_that_are_none(source, message):
    with pytest.raises((TypeError, ValueError), match=rf"Graph\.read: {message}"):
        Graph.read(source)


ATOMS = [
    b"a",
    b"b",
    b"12",
    b"7",
    b"0.5",
    b"-1",
    b"x y",
    b" ",
    b" ",
    b"\t",
    b",",
    b";",
    b"\n",
    b"\n",
]
ATOMS += [b"\r\n", b"\r", b'"', b"#", b"\0", b"\xff", b"nan", b"1e999", b"\xef\xbb\xbf", b"\x1e"]


@given(
    text=st.one_of(st.lists(st.sampled_from(ATOMS), max_size=40).map(b"".join), st.binary()),
    options=st.fixed_dictionaries(
        {},
        optional={
            "weighted": st.booleans(),
            "header": st.booleans(),
            "delimiter": st.sampled_from([" ", ",", "\t", ";", "|", '"', "1"]),
            "comment": st.sampled_from(["#", "a", None]),
        },
    ),
    step=st.integers(1, 20),
)
def test_any_bytes_give_a_graph_or_a_clear_error_however_they_are_cut(text, options, step):
    results = []
    for source in (io.BytesIO(text), Dribble(text, step)):
        try:
            results.append(Graph.read(source, **options))
        except ValueError as error:
            results.append(type(error))
    one, other = results
    if isinstance(one, type):
        assert one is other
    else:
        assert same(one, other)
        assert all(key and key == key.strip(" ") for key in one.keys)


names = st.text("abé019 -.\udcff#\"';", min_size=1, max_size=4).filter(
    lambda name: name == name.strip() and not name.startswith("#")
)


@given(
    rows=st.lists(st.tuples(names, names, st.floats(1e-9, 1e9)), min_size=1, max_size=20),
    weighted=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_what_is_written_is_read(rows, weighted, random):
    lines = ["\t".join([a, b, repr(w)][: 2 + weighted]) for a, b, w in rows]
    expected = Graph([row[: 2 + weighted] for row in rows])
    shuffled = random.sample(lines, len(lines))
    for some in (lines, shuffled):
        text = "\n".join(some).encode("utf-8", "surrogateescape")
        assert same(read(text, header=False, delimiter="\t"), expected)


def test_blocks_do_not_show(monkeypatch, file):
    rng = np.random.default_rng(5)
    pairs = rng.integers(0, 3000, (20_000, 2))
    text = b"".join(b"node %d,%d,%d\n" % (a, b, a % 7 + 1) for a, b in pairs.tolist())
    expected = read(text)
    for block in (1, 17, 4096):
        monkeypatch.setattr(_edge_lists, "_BLOCK", block if block > 1 else 1000)
        assert same(Graph.read(file(text, "blocks.csv")), expected)
    assert expected.weighted
    assert cells(expected)[f"node {pairs[0, 0]}", str(pairs[0, 1])] >= pairs[0, 0] % 7 + 1


# ---- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed_files(file, suffix, pack):
    assert same(Graph.read(file(pack(TEXT), "edges.tsv" + suffix)), GRAPH)
    with pytest.raises(FormatError, match=r"after \d+ bytes of text: expected"):
        Graph.read(file(pack(TEXT * 1000)[:-9], "cut.tsv" + suffix))
    with pytest.raises(FormatError):
        Graph.read(file(b"no such thing" * 9, "garbage.tsv" + suffix))


def test_several_files_are_one_graph(file):
    first = file(b"source,target,w\nann,bob,1.5\n", "1.csv")
    second = file(b"bob\tcid\t2\nann\tbob\t0.25", "2.tsv")
    assert same(Graph.read([first, str(second)]), GRAPH)
    assert same(Graph.read(str(second)), Graph.read(second))
    broken = file(b"#\nbob\n", "3.tsv")
    with pytest.raises(FormatError, match=r"3\.tsv: line 2: expected two nodes"):
        Graph.read([first, second, broken])
    for order in ([first, file(b"a b\n", "4.txt")], [file(b"a b\n", "4.txt"), first]):
        with pytest.raises(FormatError, match=r"columns: expected (no )?weights as in the first"):
            Graph.read(order)
    with pytest.raises(FileNotFoundError):
        Graph.read([first, first.parent / "none.csv"])
    with pytest.raises(IsADirectoryError):
        Graph.read(first.parent)


def test_open_files_and_standard_input(file, monkeypatch):
    with file(TEXT, "open.tsv").open() as text:
        assert same(Graph.read(text), GRAPH)
    with file(TEXT, "open.tsv").open("rb") as raw:
        assert same(Graph.read(raw), GRAPH)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    assert same(Graph.read("-"), GRAPH)


def test_parquet(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "edges.parquet"
    table = pa.table({"a": ["ann", "bob", "ann"], "b": ["bob", "cid", "bob"], "w": [1.5, 2, 0.25]})
    parquet.write_table(table, path)
    assert same(Graph.read(path), GRAPH)
    assert same(Graph.read([path, path], twins="max"), Graph(table, twins="max"))
    assert not Graph.read(str(path), weighted=False).weighted
    (tmp_path / "broken.parquet").write_bytes(path.read_bytes()[:-5])
    with pytest.raises(FormatError, match=r"broken\.parquet: the file: expected Parquet"):
        Graph.read(tmp_path / "broken.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"Graph\.read: a \.parquet file needs pyarrow"):
        Graph.read(path)


@pytest.mark.parametrize(
    ("name", "nodes", "edges"),
    [("cora", 2708, 5278), ("ppi", 3890, 37_845), ("blogcatalog", 10_312, 333_983)],
)
def test_graphs_of_the_literature(data, name, nodes, edges):
    graph = Graph.read(data / "graphs" / name / "edges.tsv.gz", nodes=nodes)
    assert (len(graph), graph.edges) == (nodes, edges)
    assert (graph.directed, graph.weighted, graph.csr.nnz) == (False, False, 2 * edges)
    assert graph.keys == [str(node) for node in range(nodes)]
    assert len(graph.isolated) == (30 if name == "ppi" else 0)


def test_the_karate_club(data):
    assert same(Graph.read(data / "graphs" / "karate" / "edges.tsv.gz"), Graph(KARATE))


def test_a_bar_is_shown_if_asked_for(file, capsys):
    Graph.read(file(TEXT * 100, "bar.tsv"), progress=True)
    assert "reading 100%" in capsys.readouterr().err
    Graph.read(file(TEXT * 100, "bar.tsv"))
    assert capsys.readouterr().err == ""


def test_ctrl_c_is_answered(file):
    rng = np.random.default_rng(1)
    pairs = rng.integers(0, 10**9, (200_000, 2))
    path = file(b"".join(b"n%d n%d\n" % (a, b) for a, b in pairs.tolist()) * 10, "long.txt")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Graph.read([path] * 1000)
    assert time.monotonic() - start < 3  # far less, if nobody else is at work
