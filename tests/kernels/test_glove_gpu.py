"""glove on a device: the host's epoch but for how sums are rounded, and the same bits each time.

Both compiled modules are called with the same keywords; only where the arrays lie differs.
"""

import numpy as np
import pytest

from firth import _cpu
from firth.csr import CSR
from firth.kernels._glove import column_spans, glove_tables, schedule

pytestmark = pytest.mark.gpu

RULE = {"lr": 0.05, "x_max": 10.0, "alpha": 0.75, "threads": 0, "isa": ""}
HOST = {"shifts"}


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def counts_of(rows, columns, share, seed=1):
    """Return made-up counts; some rows have none."""
    rng = np.random.default_rng(seed)
    there = (
        rng.random((rows, columns))
        < share * rng.random((rows, 1)) * (np.arange(rows) % 5 != 3)[:, None]
    )
    data = 30 * rng.random(there.sum()).astype(np.float32) ** 3 + np.float32(0.05)
    indptr = np.concatenate([[0], np.cumsum(there.sum(1))])
    return CSR(indptr, np.nonzero(there)[1].astype(np.int32), data, columns)


def epochs(module, xp, counts, dim, groups, many=1, progress=None, spoil=None):
    """Train tables from the start; returns them and what the last epoch reported."""
    words, contexts = glove_tables(*counts.shape, dim, seed=3)
    if spoil is not None:
        words[spoil, 0] = np.nan
    words, contexts = xp.asarray(words), xp.asarray(contexts)
    spans = column_spans(counts, groups)
    for epoch in range(many):
        plan = schedule(counts.shape[0], spans, 4, epoch)._asdict()
        arrays = {"indptr": counts.indptr, "indices": counts.indices, "data": counts.data, **plan}
        there = {k: array if k in HOST else xp.asarray(array) for k, array in arrays.items()}
        told = module.glove(
            words=words, contexts=contexts, dim=dim, **there, **RULE, progress=progress
        )
    return words, contexts, told


@pytest.mark.parametrize("dim", [1, 14, 50, 100, 126, 200, 300, 500, 1022])
def test_tables_are_those_of_the_host(cupy, cuda, dim):
    counts = counts_of(90, 70, 0.4)
    *wanted, (loss, many, _) = epochs(_cpu, np, counts, dim, 3)
    *found, told = epochs(cuda, cupy, counts, dim, 3)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(cupy.asnumpy(a), b, rtol=1e-3, atol=1e-4)
    assert told == (pytest.approx(loss, rel=1e-4), many, -1)
    assert many == counts.nnz


@pytest.mark.parametrize("groups", [1, 2, 16, 150])
def test_epochs_go_down_as_on_the_host(cupy, cuda, groups):
    counts = counts_of(400, 300, 0.5)
    first = epochs(cuda, cupy, counts, 20, groups)[2][0]
    losses = [epochs(*on, counts, 20, groups, many=5)[2][0] for on in ((cuda, cupy), (_cpu, np))]
    assert losses[0] < 0.9 * first
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_the_same_bits_each_time(cupy, cuda):
    counts = counts_of(500, 400, 0.5)
    one, other = (epochs(cuda, cupy, counts, 100, 40, many=2) for _ in range(2))
    for a, b in zip(one[:2], other[:2], strict=True):
        assert cupy.asnumpy(a).tobytes() == cupy.asnumpy(b).tobytes()
    assert one[2] == other[2]


def test_a_number_that_is_not_finite_is_reported(cupy, cuda):
    counts = counts_of(60, 50, 1.0)
    words, contexts, (_, _, row) = epochs(cuda, cupy, counts, 10, 4, spoil=21)
    assert row == 21
    assert np.isfinite(cupy.asnumpy(contexts)).all()
    assert np.isfinite(np.delete(cupy.asnumpy(words), 21, 0)).all()


def test_progress_ends_with_all_counts(cupy, cuda):
    counts, told = counts_of(100, 90, 0.5), []
    *_, (loss, many, _) = epochs(
        cuda, cupy, counts, 8, 20, progress=lambda done, so_far: told.append((done, so_far))
    )
    assert told[-1] == (many, loss)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_no_counts_are_no_work(cupy, cuda):
    counts = CSR(np.zeros(6, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), 4)
    words, contexts = (cupy.asarray(table) for table in glove_tables(5, 4, 3))
    spans = np.array([0, 2, 4], np.uint32)
    plan = schedule(5, spans, 1, 0)._asdict()
    arrays = {"indptr": counts.indptr, "indices": counts.indices, "data": counts.data, **plan}
    there = {k: array if k in HOST else cupy.asarray(array) for k, array in arrays.items()}
    found = cuda.glove(words=words, contexts=contexts, dim=3, **there, **RULE, progress=None)
    assert found == (0.0, 0, -1)


def test_tables_that_do_not_fit_are_refused(cupy, cuda):
    counts = counts_of(10, 9, 0.5)
    with pytest.raises(ValueError, match="dim is not between 1 and 1022"):
        epochs(cuda, cupy, counts, 1023, 2)
