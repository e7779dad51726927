"""negative_sampling: what is wrong with a call is named, and what cannot go on stops."""

import subprocess
import sys

import numpy as np
import pytest

from firth import kernels


class TestBadInput:
    @pytest.fixture
    def good(self):
        return {
            "input": np.zeros((4, 3), np.float32), "output": np.zeros((4, 3), np.float32),
            "ids": np.array([0, 1, 2, 3, 3], np.uint32), "offsets": np.array([0, 2, 5]),
            "keep": np.full(4, 2**32 - 1, np.uint32), "noise": kernels.noise([1, 1, 1, 2]),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"input": np.zeros((4, 3))}, TypeError, "input has dtype float64"),
            ({"input": np.zeros((4, 4), np.float32)}, ValueError, "output has shape"),
            ({"input": np.zeros((0, 3), np.float32)}, ValueError, "input has shape"),
            ({"input": np.zeros((4, 6), np.float32)[:, ::2]}, ValueError, "C-contiguous"),
            ({"ids": np.array([0], np.int32)}, TypeError, "ids is 1-d int32"),
            ({"offsets": np.array([0, 4])}, ValueError, "offsets must rise"),
            ({"offsets": np.array([0, 3, 2, 5])}, ValueError, "offsets must rise"),
            ({"offsets": np.array([], np.int64)}, ValueError, "offsets must rise"),
            ({"keep": np.zeros(3, np.uint32)}, ValueError, r"keep has shape \(3,\)"),
            ({"ids": np.array([0, 1, 2, 3, 4], np.uint32)}, ValueError, r"ids\[4\] is 4"),
            ({"window": 0}, ValueError, "window=0"),
            ({"window": -3}, ValueError, "window=-3"),
            ({"negative": -1}, ValueError, "negative=-1 is not between 0 and 10000"),
            ({"block": 0}, ValueError, "block=0"),
            ({"shared": 17}, ValueError, "shared=17"),
            ({"piece": 3}, ValueError, "piece=3"),
            ({"seed": -1}, ValueError, "seed=-1"),
            ({"threads": -1}, ValueError, "threads=-1"),
            ({"lr": (float("nan"), 0.1)}, ValueError, "lr="),
            ({"lr": (-0.1, 0.1)}, ValueError, "lr="),
            ({"lr": (1e39, 0)}, ValueError, "lr="),
            ({"lr": 0.1}, TypeError, "lr=0.1 is not a pair"),
            ({"lr": (0.1,)}, TypeError, "lr=.* is not a pair"),
            ({"lr": (0.1, 0.1, 0.1)}, TypeError, "lr=.* is not a pair"),
            ({"window": 2.5}, TypeError, "window=2.5 is not a whole number"),
            ({"seed": None}, TypeError, "seed=None is not a whole number"),
            ({"cbow": "no"}, TypeError, "cbow='no' is not False or True"),
            ({"input": [[0.0]]}, TypeError, "input has dtype list"),
            ({"ids": [0, 1, 2, 3, 3]}, TypeError, "ids is list"),
            ({"ids": np.zeros(10, np.uint32)[::2]}, ValueError, "ids must be C-contiguous"),
            ({"keep": np.zeros(8, np.uint32)[::2]}, ValueError, "keep must be C-contiguous"),
            ({"noise": kernels.noise([1] * 8)[::2]}, ValueError, "noise must be C-contiguous"),
        ],
    )  # fmt: skip
    def test_is_named(self, on, good, change, error, says):
        with pytest.raises(error, match=says):
            kernels.negative_sampling(**{**good, **change}, **on)

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"round": 6}, ValueError, "round=6 is not a multiple of piece=4"),
            ({"round": -4}, ValueError, "round=-4 is not between 0 and 1073741824"),
            ({"round": 2**31}, ValueError, "round=2147483648 is not between"),
            ({"round": 8.0}, TypeError, "round=8.0 is not a whole number"),
            ({"round": None}, TypeError, "round=None is not a whole number"),
            ({"part": 4}, TypeError, "part=4 is not a pair of places"),
            ({"part": (0, 4, 5)}, TypeError, r"part=\(0, 4, 5\) is not a pair"),
            ({"part": (0, 4.0)}, TypeError, "part must be an integer, got float"),
            ({"part": (4, 0)}, ValueError, r"part=\(4, 0\) does not rise within 0 and 5"),
            ({"part": (0, 6)}, ValueError, r"part=\(0, 6\) does not rise within 0 and 5"),
            ({"part": (-4, 4)}, ValueError, r"part=\(-4, 4\) does not rise within 0 and 5"),
            ({"part": (0, 10**5000)}, ValueError, "part is an integer of 16610 bits"),
            (
                {"part": (0, 2)},
                ValueError,
                r"part=.* cuts at 2, expected multiples of piece=4 or t",
            ),
            (
                {"part": (3, 5)},
                ValueError,
                r"part=.* cuts at 3, expected multiples of piece=4 or t",
            ),
            (
                {"part": (4, 5), "round": 8},
                ValueError,
                r"part=.* cuts at 4, expected multiples of round=8",
            ),
        ],
    )
    def test_rounds_and_parts_are_named(self, on, good, change, error, says):
        with pytest.raises(error, match=f"^negative_sampling: {says}"):
            kernels.negative_sampling(**{**good, "piece": 4, **change}, **on)

    def test_tables_that_share_memory_are_refused_in_rounds(self, on, good):
        """Threads would add to the same rows in no order."""
        rows = np.zeros((8, 3), np.float32)
        good["input"] = rows[:4]
        for other, apart in ((rows[:4], False), (rows[3:7], False), (rows[4:], True)):
            good["output"] = other
            assert kernels.negative_sampling(**good, **on).pairs == 8
            if apart:
                assert kernels.negative_sampling(**good, piece=4, round=4, **on).pairs == 8
                continue
            with pytest.raises(ValueError, match=r"^negative_sampling: input and output sha"):
                kernels.negative_sampling(**good, piece=4, round=4, **on)

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"sources": [0] * 5}, TypeError, "sources is list, expected 1-d uint32"),
            ({"sources": np.zeros(5, int)}, TypeError, "sources is 1-d int64, expected 1-d uint32"),
            ({"sources": np.zeros((5, 1), np.uint32)}, TypeError, "sources is 2-d uint32"),
            ({"sources": np.zeros(10, np.uint32)[::2]}, ValueError, "sources must be C-contiguous"),
            ({"sources": np.zeros(4, np.uint32)}, ValueError, "sources has 4 entries, expected on"),
            ({"sources": np.zeros(0, np.uint32)}, ValueError, "sources has 0 entries, expected on"),
            ({"cbow": True}, ValueError, "cbow=True is not for sources"),
            ({"input": np.ones((2, 3), np.float32)}, ValueError, r"sources\[4\] is 2, .* 2 rows"),
            ({"output": np.ones((4, 2), np.float32)}, ValueError, r"output has shape \(4, 2\)"),
            (
                {"bags": kernels.Bags(np.array([0, 1, 1]), np.array([3], np.uint32))},
                ValueError,
                r"sources\[4\] is 2, expected one of the 2 bags",
            ),
            (
                {"bags": kernels.Bags(np.array([0, 1, 1, 1]), np.array([4], np.uint32))},
                ValueError,
                r"bags.ids\[0\] is 4, expected a row below the 4 of input",
            ),
        ],
    )  # fmt: skip
    def test_sources_are_checked(self, on, good, change, error, says):
        good["sources"] = np.array([0, 1, 0, 1, 2], np.uint32)
        assert kernels.negative_sampling(**good, **on).pairs == 5
        with pytest.raises(error, match=f"^negative_sampling: {says}"):
            kernels.negative_sampling(**{**good, **change}, **on)

    def test_a_source_of_a_part_is_named_by_its_place_in_the_corpus(self, on, good):
        good.update(piece=2, sources=np.array([9, 1, 0, 4, 2], np.uint32))
        with pytest.raises(ValueError, match=r"sources\[3\] is 4, expected one of the 4 rows"):
            kernels.negative_sampling(**good, part=(2, 5), **on)

    @pytest.mark.parametrize("round", [0, 4])
    def test_an_id_that_is_no_word_is_named_in_rounds_too(self, on, good, round):
        good["ids"][3] = 4
        with pytest.raises(ValueError, match=r"^negative_sampling: ids\[3\] is 4, expected a word"):
            kernels.negative_sampling(**good, piece=2, round=round, **on)

    @pytest.mark.parametrize(
        ("offsets", "ids", "error", "says"),
        [
            (
                [0, 1, 1, 1, 2],
                [0, 4],
                ValueError,
                r"bags.ids\[1\] is 4, expected a row below",
            ),
            ([0, 1, 1, 2], [0, 3], ValueError, "bags has 3 bags, expected one for each of the 4"),
            ([0, 1, 1, 1, 3], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([0, 2, 1, 2, 2], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([1, 1, 1, 1, 2], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([], [], ValueError, "bags.offsets must rise from 0 to the 0 ids"),
        ],
    )
    def test_bags_are_checked(self, on, good, offsets, ids, error, says):
        bags = kernels.Bags(np.array(offsets, np.int64), np.array(ids, np.uint32))
        with pytest.raises(error, match=f"^negative_sampling: {says}"):
            kernels.negative_sampling(**good, bags=bags, **on)

    def test_bags_of_another_kind_are_refused(self, on, good):
        sound = kernels.Bags(np.array([0, 1, 1, 1, 2]), np.array([0, 3], np.uint32))
        for bags, says in (
            ([[0]] * 4, "bags is list"),
            (sound._replace(ids=[0, 3]), "bags.ids must be an uint32 array, got list"),
            (sound._replace(ids=np.array([0, 3])), "bags.ids must be an uint32 array, got int64"),
            (sound._replace(offsets=np.arange(3.0)), "bags.offsets must be an int64 array, got fl"),
        ):
            with pytest.raises(TypeError, match=f"^negative_sampling: {says}"):
                kernels.negative_sampling(**good, bags=bags, **on)
        for change, says in (
            (
                {"output": np.zeros((4, 2), np.float32)},
                r"output has shape \(4, 2\), expected",
            ),
            ({"input": np.zeros((3, 3), np.float32)}, r"bags.ids\[1\] is 3, expected a row below"),
            (
                {"ids": np.array([0, 1, 2, 3, 4], np.uint32)},
                r"ids\[4\] is 4, expected a word",
            ),
        ):
            with pytest.raises(ValueError, match=f"^negative_sampling: {says}"):
                kernels.negative_sampling(**{**good, **change}, bags=sound, **on)

    def test_a_read_only_table_is_refused(self, on, good):
        good["input"].flags.writeable = False
        with pytest.raises(ValueError, match="writeable"):
            kernels.negative_sampling(**good, **on)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
    def test_numbers_that_are_not_finite_stop_it(self, on, good, bad):
        good["input"][:] = bad
        good["output"][:] = bad
        with pytest.raises(FloatingPointError, match="epoch 0"):
            kernels.negative_sampling(**good, **on)
        assert (good["input"] == np.float32(bad)).all() or np.isnan(bad)

    def test_no_tokens_are_no_pairs(self, on, good):
        good.update(ids=np.array([], np.uint32), offsets=np.array([0]))
        assert kernels.negative_sampling(**good, **on) == (0.0, 0, 0)

    @pytest.mark.parametrize("counts", [[], [0, 0], [-1, 2], [[1]], [np.nan]])
    def test_noise_of_nothing_is_refused(self, counts):
        with pytest.raises(ValueError, match="noise"):
            kernels.noise(counts)


@pytest.mark.unsanitized
def test_working_memory_that_is_not_there_is_named():
    """In a process that may have 4 GiB: wide rows and a wide window need 10 GB a thread."""
    program = """if True:
        import resource, numpy as np
        from firth import kernels
        resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
        tables = [np.zeros((2, 2**16), np.float32) for _ in range(2)]
        kernels.negative_sampling(
            *tables, np.zeros(9, np.uint32), np.array([0, 9]), keep=np.zeros(2, np.uint32),
            noise=kernels.noise([1, 1]), window=10_000, threads=1,
        )
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("MemoryError: negative_sampling: 1 threads of dim=65536, window=10000")


def test_what_progress_raises_stops_the_pass(on):
    def stop(tokens, loss, pairs):
        raise InterruptedError(tokens)

    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1000, 3_000_000).astype(np.uint32)
    tables = [rng.normal(0, 0.01, (1000, 64)).astype(np.float32) for _ in range(2)]
    with pytest.raises(InterruptedError):
        kernels.negative_sampling(
            *tables, ids, np.array([0, len(ids)]), keep=np.full(1000, 2**32 - 1, np.uint32),
            noise=kernels.noise(np.ones(1000)), progress=stop, **on,
        )  # fmt: skip
