"""Damage to what each peer itself has saved.

An answer is (words, vectors). The same damage is done to the largest file of everyone; what no
checksum covers shows as ``wrong``. A peer's ``OWN`` is three functions: vectors -> what it saves,
to save that to a path, and to load from there.
"""

import pickle

import numpy as np
from _hostile_judge import Case
from _hostile_text import Payload

GROUP = "own format"
SAID = (
    r"byte \d|offset \d|line \d|header|magic|version|trunc|end of|unexpected end|damaged|checksum|"
    r"corrupt|bytes|size|length|shape|dtype|metadata|json|format|empty|no such|not found|director|"
    r"exist|missing|trail|regular|pickle|safetensor|not a |expected|invalid|recogni|stream|tensor|"
    r"read error|ran out|no module"
)


def _middle(raw, share, change):
    at = min(int(len(raw) * share), len(raw) - 8)
    return raw[:at] + change(raw[at : at + 8]) + raw[at + 8 :]


def _damages():
    """Yield (name, function from a file's bytes to what lies there then)."""
    yield "missing", lambda raw: None
    yield "empty", lambda raw: b""
    for share in (1, 10, 50, 90, 99):
        yield f"cut at {share} %", lambda raw, share=share: raw[: len(raw) * share // 100]
    yield "without its last byte", lambda raw: raw[:-1]
    yield "1 byte too many", lambda raw: raw + b"\0"
    yield "1 MB too many", lambda raw: raw + bytes(2**20)
    yield "twice itself", lambda raw: raw * 2
    flip = lambda part: bytes([part[0] ^ 0x40]) + part[1:]  # noqa: E731
    changes = {
        "a bit flipped": flip,
        "8 bytes of 0": lambda part: bytes(8),
        "8 bytes of 255": lambda part: b"\xff" * 8,
        "8 bytes of 127": lambda part: b"\x7f" * 8,
    }
    for name, change in changes.items():
        for share in (0, 0.001, 0.005, 0.02, 0.1, 0.3, 0.6, 0.9, 1):
            title = f"{name} at {100 * share:g} %"
            yield title, lambda raw, share=share, change=change: _middle(raw, share, change)
    yield "halves swapped", lambda raw: raw[len(raw) // 2 :] + raw[: len(raw) // 2]
    yield "backwards", lambda raw: raw[::-1]
    yield "zeros", lambda raw: bytes(len(raw))
    yield "ones", lambda raw: b"\xff" * len(raw)
    yield "a text", lambda raw: b"the cat sat on the mat\n" * 99
    yield "a pickle of nothing", lambda raw: pickle.dumps(None)
    yield "a pickle that runs code", "payload"
    yield "a line end changed", lambda raw: raw.replace(b"\n", b"\r\n", 1) + b"\n"


def damaged(case, folder, file):
    """Damage a file as the case says; return the file that its code, if any is run, makes."""
    ran = folder / "code was run"
    if case.given == "payload":
        file.write_bytes(pickle.dumps(Payload(str(ran))))
    elif case.given is not None:
        raw = case.given(file.read_bytes())
        if raw is None:
            file.unlink()
        else:
            file.write_bytes(raw)
    return ran


def way(made, save, load):
    """Return the way of a peer that saves to a path and loads from there."""

    def answer(case, folder):
        path = folder / "saved"
        save(made(VECTORS), path)
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        ran = damaged(case, folder, max(files, key=lambda one: one.stat().st_size))
        try:
            return load(path)
        finally:
            if ran.exists():
                raise CodeRanError

    return answer


class CodeRanError(BaseException):
    """Loading has run what the file says."""


def names(count):
    """Return so many words."""
    return [f"word{number}" for number in range(count)]


WORDS = names(200)
VECTORS = np.random.default_rng(3).standard_normal((200, 24)).astype(np.float32)
CONTROL = lambda raw: raw  # noqa: E731


def _whole(answer):
    return bool(np.allclose(answer[1], VECTORS)) and list(answer[0]) == WORDS


CASES = [
    Case(GROUP, "control", None, right=_whole),
    *(Case(GROUP, name, change, SAID, control=CONTROL) for name, change in _damages()),
]
