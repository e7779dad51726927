"""Panels in array code: the codes that topk scans, as cpp/include/firth/panel.h defines them."""

from typing import Any

import numpy as np

SCANS = ("float32", "bfloat16", "int8")  # a scan's number is its place
PANEL = 16  # items
MAX_INT8_DIM = 65536

_STEP_BYTES = 64
_CODES_PER_WORD = (1, 2, 4)
_VALUES = 1 << 22  # values decoded at a time


def panels_of(items: int) -> int:
    """Return how many panels hold so many items."""
    return -(-items // PANEL)


def panel_bytes(scan: int, dim: int) -> int:
    """Return how many bytes a panel has."""
    return -(-dim // _CODES_PER_WORD[scan]) * _STEP_BYTES


def packed(xp: Any, codes: Any, scan: int) -> Any:
    """Return codes (n, dim), int8 values or bits of bfloat16, as panels (panels, panel_bytes)."""
    n, dim = codes.shape
    many, panels = _CODES_PER_WORD[scan], panels_of(n)
    width = -(-dim // many) * many
    whole = xp.zeros((panels * PANEL, width), dtype=np.uint8 if many == 4 else np.uint16)
    if many == 4:
        whole[:] = 128
        whole[:n, :dim] = codes.astype(np.int16) + 128
    else:
        whole[:n, :dim] = codes
    words = whole.view(np.uint32).reshape(panels, PANEL, width // many)
    steps = xp.ascontiguousarray(words.transpose(0, 2, 1))
    return steps.view(np.uint8).reshape(panels, panel_bytes(scan, dim))


def values_of(xp: Any, panels: Any, grains: Any, ids: Any, scan: int, dim: int) -> Any:
    """Return the items `ids` as float32 rows: their codes / grain, rounded once."""
    words = panels.view(np.uint32).reshape(len(panels), panels.shape[1] // _STEP_BYTES, PANEL)
    out = xp.empty((len(ids), dim), dtype=np.float32)
    step = max(1, _VALUES // dim)
    for begin in range(0, len(ids), step):
        some = ids[begin : begin + step]
        found = xp.ascontiguousarray(words[some // PANEL, :, some % PANEL])
        if scan == SCANS.index("int8"):
            codes = found.view(np.uint8)[:, :dim].astype(np.float64) - 128
        else:
            bits = found.view(np.uint16)[:, :dim].astype(np.uint32) << 16
            codes = bits.view(np.float32).astype(np.float64)
        out[begin : begin + step] = codes / grains[some].astype(np.float64)[:, None]
    return out
