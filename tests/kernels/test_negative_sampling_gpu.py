"""negative_sampling on a device: the oracle's pass, rounds of the same bits, and losses that fall.

One thread block in flight (``threads=1``) trains block after block, as the definition has it.
"""

import numpy as np
import pytest

import oracle
from firth import kernels

pytestmark = pytest.mark.gpu

RULE = {"window": 5, "negative": 5, "seed": 7, "epoch": 1, "block": 16, "shared": 16, "piece": 64}
LR = (0.05, 0.01)


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def problem(dim=20, words=40, tokens=400, bags=False, pairs=False, seed=1):
    """Return a made-up corpus and tables; with bags, those of words, of none to four rows."""
    rng = np.random.default_rng(seed)
    rows = 70 if bags or pairs else words
    made = {
        "input": rng.normal(0, dim**-0.5, (rows, dim)).astype(np.float32),
        "output": rng.normal(0, dim**-0.5, (words, dim)).astype(np.float32),
        "ids": rng.integers(0, words, tokens).astype(np.uint32),
        "offsets": np.unique([0, *rng.integers(0, tokens, 30), tokens]),
        "keep": rng.choice([2**30, 2**32 - 1], words).astype(np.uint32),
        "noise": kernels.noise(rng.integers(1, 100, words)),
    }
    if bags:
        sizes = rng.integers(0, 5, rows if pairs else words)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        made["bags"] = kernels.Bags(offsets, rng.integers(0, rows, offsets[-1]).astype(np.uint32))
    if pairs:
        made["sources"] = rng.integers(0, rows, tokens).astype(np.uint32)
    return made


def trained(xp, made, module=None, **rule):
    """Return tables and what was told, trained where ``xp`` has its arrays."""
    there = {name: xp.asarray(array) for name, array in made.items() if name != "bags"}
    if "bags" in made:
        there["bags"] = kernels.Bags(*(xp.asarray(array) for array in made["bags"]))
    arrays = [there.pop(name) for name in ("input", "output", "ids", "offsets")]
    arrays[0], arrays[1] = arrays[0].copy(), arrays[1].copy()
    done = kernels.negative_sampling(*arrays, **there, **{**RULE, "lr": LR, **rule}, backend=module)
    host = np.asarray if xp is np else xp.asnumpy
    return host(arrays[0]), host(arrays[1]), done


def defined(made, **rule):
    """Return the same by the oracle."""
    given = {**made, **RULE, "cbow": False, "lr_begin": LR[0], "lr_end": LR[1], **rule}
    bags = given.pop("bags", None)
    if bags is not None:
        given["bags"] = [part.tolist() for part in np.split(bags.ids, bags.offsets[1:-1])]
    return oracle.negative_sampling(**given)


def hold(found, wanted):
    for table, expected in zip(found[:2], wanted[:2], strict=True):
        np.testing.assert_allclose(table, expected, rtol=1e-3, atol=2e-5)
    loss, pairs, kept = wanted[2:]
    assert found[2].pairs == pairs
    assert found[2].kept == kept
    assert found[2].loss * pairs == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("round", [0, 128])
@pytest.mark.parametrize("bags", [False, True])
@pytest.mark.parametrize("kind", ["skip-gram", "cbow", "pairs"])
def test_a_pass_is_the_oracles(cupy, cuda, kind, bags, round):
    made = problem(bags=bags, pairs=kind == "pairs")
    rule = {"cbow": kind == "cbow", "round": round}
    hold(trained(cupy, made, cuda, threads=1, **rule), defined(made, **rule))


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("dim", [1, 3, 4, 100, 128, 300, 1000, 4096])
def test_rows_of_any_width(cupy, cuda, dim, cbow):
    made = problem(dim, tokens=150)
    rule = {"cbow": cbow, "block": 32, "shared": 32}
    hold(trained(cupy, made, cuda, threads=1, **rule), defined(made, **rule))


@pytest.mark.parametrize(
    "rule",
    [
        {"negative": 0},
        {"window": 1, "block": 1},
        {"window": 300, "block": 13, "shared": 48},
        {"window": 10_000, "block": 64, "shared": 64, "piece": 4096},
        {"piece": 2},
        {"part": (128, 256)},
        {"part": (128, 256), "round": 128},
    ],
)
def test_settings_of_all_kinds(cupy, cuda, rule):
    made = problem()
    hold(trained(cupy, made, cuda, threads=1, **rule), defined(made, **rule))


@pytest.mark.parametrize("kind", ["skip-gram", "cbow", "bags"])
def test_rounds_have_the_same_bits_each_time(cupy, cuda, kind):
    made = problem(64, 500, 60_000, bags=kind == "bags")
    rule = {"cbow": kind == "cbow", "piece": 1024, "round": 8192, "block": 32, "shared": 32}
    one, other = (trained(cupy, made, cuda, **rule, threads=threads) for threads in (0, 7))
    assert one[0].tobytes() == other[0].tobytes()
    assert one[1].tobytes() == other[1].tobytes()
    assert one[2] == other[2]


@pytest.mark.parametrize("cbow", [False, True])
def test_losses_fall_as_on_the_host(cupy, cuda, cbow):
    rng = np.random.default_rng(3)
    made = problem(32, 20_000, 600_000)
    made["ids"] = (20_000 * rng.random(600_000) * rng.random(600_000)).astype(np.uint32)
    made["ids"][1::2] = made["ids"][::2]  # something to learn
    rule = {"cbow": cbow, "block": 32, "shared": 32, "piece": 4096}
    losses = [trained(xp, made, **rule)[2].loss for xp in (cupy, np)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize("round", [0, 128])
def test_what_is_wrong_is_told(cupy, cuda, round):
    made = problem()
    made["ids"][170] = 40
    with pytest.raises(ValueError, match=r"ids\[170\] is 40"):
        trained(cupy, made, cuda, round=round)
    made = problem()
    made["input"][:] = np.nan
    with pytest.raises(FloatingPointError, match="epoch 1"):
        trained(cupy, made, cuda, round=round)


def test_a_round_that_the_device_has_no_memory_for_is_told_with_sizes(cupy, cuda):
    made = problem(4096, tokens=2**21)
    with pytest.raises(MemoryError, match=r"\d+ MB are needed on the device .* are free"):
        trained(cupy, made, cuda, round=2**21, piece=2**20, block=1, shared=64)


def test_progress_ends_with_all_tokens(cupy, cuda):
    told = []
    trained(cupy, problem(), cuda, progress=lambda *figures: told.append(figures))
    assert told[-1][0] == 400


def test_models_train_there(cupy, cuda):
    import firth

    text = ["the cat sat on the mat and the dog sat on the rug"] * 300
    for model in (firth.Word2Vec, firth.FastText):
        made = model(dim=16, epochs=8, min_count=1, device="cuda", deterministic=True)
        one, other = made.fit(text), made.fit(text)
        assert one.vectors.tobytes() == other.vectors.tobytes()
        assert one.metadata["losses"][-1] < one.metadata["losses"][0]
