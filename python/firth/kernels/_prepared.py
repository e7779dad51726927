"""Prepared: items in the form that topk scans, and the file that keeps them."""

import importlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Bytes, Floats, Longs
from firth._errors import FormatError
from firth._panels import MAX_INT8_DIM, PANEL, SCANS, panel_bytes, panels_of, values_of
from firth._reading import AnyPath
from firth.kernels._arguments import array_module, first_outside, integer, one_of, typed

METRICS = ("cosine", "dot")
VERSION = 1

_TWO = 0x4000  # 2.0 in bfloat16
_BLOCK = 1 << 22  # codes looked at in one step


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Prepared:
    """Items in the form that :func:`topk` scans; :func:`prepare` makes it.

    The form is the same for every processor and backend (``cpp/include/firth/panel.h``). The arrays
    are numpy's, or all CuPy's, and must not be changed.

    Parameters
    ----------
    metric
        "cosine" or "dot".
    scan
        What is scanned: "float32", "bfloat16" or "int8".
    dim
        Numbers per item.
    rows : (n, dim) float32, or None
        The items as they are ranked; None where only their codes are kept.
    panels : (panels, bytes) uint8, or None
        The codes, 16 items a panel; None for float32, which is scanned as it lies in ``rows``.
    constants : (3, 16 * panels) float32
        Grain, length and rest of each item, for the bounds of its scores.
    count
        How many items.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit each other.

    Examples
    --------
    >>> from firth.kernels import prepare
    >>> prepared = prepare(np.eye(3, dtype=np.float32), scan="int8", keep_exact=False)
    >>> prepared, len(prepared), prepared.values(np.array([2])).tolist()
    (<Prepared: 3 items of 3 dimensions, cosine, int8, codes only>, 3, [[0.0, 0.0, 1.0]])
    """

    metric: str
    scan: str
    dim: int
    count: int
    rows: Floats | None
    panels: Bytes | None
    constants: Floats

    def __post_init__(self) -> None:
        one_of("Prepared", "metric", self.metric, METRICS)
        one_of("Prepared", "scan", self.scan, SCANS)
        for name in ("count", "dim"):  # plain integers, which the note in a file can have
            object.__setattr__(self, name, integer("Prepared", name, getattr(self, name)))
        n, dim = self.count, self.dim
        if n < 0 or dim < 1 or (self.scan == "int8" and dim > MAX_INT8_DIM):
            raise ValueError(
                f"Prepared: {n} items of {dim} dimensions are too few or too wide for {self.scan}"
            )
        if (self.panels is None) != (self.scan == "float32"):
            raise ValueError("Prepared: panels are kept for bfloat16 and int8, not for float32")
        if self.panels is None and self.rows is None:
            raise ValueError("Prepared: rows and panels are both None, expected at least one")
        array_module("Prepared", rows=self.rows, panels=self.panels, constants=self.constants)
        panels, scan = panels_of(n), SCANS.index(self.scan)
        shapes = {
            "rows": (np.float32, (n, dim)),
            "panels": (np.uint8, (panels, panel_bytes(scan, dim))),
            "constants": (np.float32, (3, panels * PANEL)),
        }
        for name, (dtype, shape) in shapes.items():
            array: Any = getattr(self, name)
            if array is None and name != "constants":
                continue
            typed("Prepared", name, array, dtype, (shape,))
            if not array.flags.c_contiguous:
                raise ValueError(f"Prepared: {name} must be C-contiguous")

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        kept = "exact" if self.exact else "codes only"
        what = f"{self.metric}, {self.scan}, {kept}"
        return f"<Prepared: {len(self)} items of {self.dim} dimensions, {what}>"

    @property
    def exact(self) -> bool:
        """Whether answers rank the rows that were given, not their codes."""
        return self.rows is not None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.rows, self.panels, self.constants)
        return sum(array.nbytes for array in arrays if array is not None)

    def head(self, n: int) -> "Prepared":
        """Return the first `n` items: views, but for 12 bytes an item.

        Raises
        ------
        TypeError, ValueError
            If `n` is no integer, or not between 0 and the number of items.
        """
        n = integer("head", "n", n)
        if not 0 <= n <= len(self):
            raise ValueError(f"head: n={n} is not between 0 and the {len(self)} items")
        if n == len(self):
            return self
        constants = self.constants[:, : panels_of(n) * PANEL].copy()
        for row, value in zip(constants, (1, 0, 0), strict=True):
            row[n:] = value
        return Prepared(
            metric=self.metric,
            scan=self.scan,
            dim=self.dim,
            count=n,
            rows=None if self.rows is None else self.rows[:n],
            panels=None if self.panels is None else self.panels[: panels_of(n)],
            constants=constants,
        )

    def values(self, ids: Longs | None = None) -> Floats:
        """Return items as the rows that are ranked.

        Parameters
        ----------
        ids
            (m,) int64; None for all items.

        Returns
        -------
        (m, dim) float32. Where only codes are kept they are decoded here: at cosine as unit
        vectors, at dot product as near to what was given as the codes are.

        Raises
        ------
        TypeError, ValueError
            If `ids` are not a one-dimensional int64 array, or not between 0 and the number of
            items.
        """
        xp = array_module("values", constants=self.constants, ids=ids)
        if ids is not None:
            typed("values", "ids", ids, np.int64, ((None,),))
            at = first_outside(ids, 0, len(self))
            if at >= 0:
                allowed = f"not between 0 and {len(self) - 1}" if len(self) else "given, of 0 items"
                raise ValueError(f"values: ids[{at}]={ids[at]} is {allowed}")
        if self.rows is not None:
            return self.rows if ids is None else self.rows[ids]
        wanted = xp.arange(len(self)) if ids is None else ids
        scan = SCANS.index(self.scan)
        found: Floats = values_of(xp, self.panels, self.constants[0], wanted, scan, self.dim)
        return found

    # ---- files ----------------------------------------------------------------------------------

    def save(self, path: AnyPath) -> None:
        """Write a file of firth's safetensors that `load` maps back, atomically.

        Parameters
        ----------
        path
            The file, replaced in one step. Arrays on a device are copied to the host.
        """
        from firth.formats.tensors import write_tensors

        note = {
            "format": "firth",
            "version": VERSION,
            "kind": "prepared",
            "metric": self.metric,
            "scan": self.scan,
            "items": len(self),
            "dim": self.dim,
            "exact": self.exact,
        }
        # In this order, and as words like those of the rows, panels begin at a cache line.
        tensors: dict[str, npt.NDArray[Any]] = {"constants": self.constants}
        if self.panels is not None:
            tensors["panels"] = self.panels.view(np.uint32)
        if self.rows is not None:
            tensors["rows"] = self.rows
        if array_module("save", constants=self.constants) is not np:
            asnumpy = importlib.import_module("cupy").asnumpy
            tensors = {name: asnumpy(array) for name, array in tensors.items()}
        write_tensors(path, tensors, {"firth": json.dumps(note)})

    @classmethod
    def load(cls, path: AnyPath, mmap: bool = True, *, verify: bool = True) -> "Prepared":
        """Read what `save` wrote.

        Parameters
        ----------
        path
            The file.
        mmap
            Map it, so that it is read where it is needed and shared by processes; otherwise read it
            into memory.
        verify
            Hold every byte against its checksum, at about 1 GB/s, and look for codes that are none.

        Raises
        ------
        FormatError
            Anything in the file contradicts the form.
        """
        from firth._vectors import first_not_finite
        from firth.formats.tensors import read_tensors

        tensors, notes = read_tensors(path, mmap, verify=verify)
        note = _note(path, notes.get("firth", ""))
        panels = tensors.pop("panels", None)
        rows, constants = tensors.pop("rows", None), tensors.pop("constants", None)
        if tensors:
            raise FormatError(path, "tensors", "rows, panels and constants", ", ".join(tensors))
        if panels is not None:
            if panels.dtype != np.uint32 or panels.ndim != 2:
                found = f"{panels.dtype.name} {panels.shape}"
                raise FormatError(path, "tensor 'panels'", "uint32 of 2 dimensions", found)
            panels = panels.view(np.uint8)
        try:
            prepared = cls(
                metric=note.get("metric"),  # type: ignore[arg-type]
                scan=note.get("scan"),  # type: ignore[arg-type]
                dim=note.get("dim"),  # type: ignore[arg-type]
                count=note.get("items"),  # type: ignore[arg-type]
                rows=rows,
                panels=panels,
                constants=constants,  # type: ignore[arg-type]
            )
        except (TypeError, ValueError) as error:
            raise FormatError(path, "tensors", "a prepared matrix", str(error)) from None
        if note.get("exact") is not prepared.exact:
            found = f"{note.get('exact')!r:.80}, and {'' if prepared.exact else 'no '}rows"
            raise FormatError(path, "header", "exact: true with rows or false without", found)
        _check_constants(path, prepared)
        if verify and prepared.rows is not None:
            if (row := first_not_finite(prepared.rows)) is not None:
                raise FormatError(path, f"tensor 'rows', row {row}", "finite numbers", "others")
        elif verify and prepared.scan == "bfloat16":
            _check_codes(path, prepared)
        return prepared


def _note(path: AnyPath, text: str) -> dict[str, object]:
    try:
        note = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, "header", "JSON", str(error)) from None
    wanted = {"format": "firth", "version": VERSION, "kind": "prepared"}
    if not isinstance(note, dict) or any(note.get(key) != value for key, value in wanted.items()):
        expected = f"version {VERSION} of a prepared matrix"
        raise FormatError(path, "header", expected, repr(text[:80]))
    return note


def _check_constants(path: AnyPath, prepared: Prepared) -> None:
    """Raise unless the constants can be what the kernels compute bounds with."""
    grains, lengths, rests = prepared.constants
    if prepared.exact:
        expected = "grain > 0 or NaN, length >= 0 and rest >= 0"
        sound = ~(grains <= 0) & (grains != np.inf) & (rests >= 0) & (rests < np.inf)
    else:  # codes are divided by grains, and nothing of the rows was lost; no norm is beyond 2^60
        expected = "grain >= 2**-64, length >= 0 and rest 0"
        sound = (grains >= 2.0**-64) & (grains < np.inf) & (rests == 0)
    sound &= (lengths >= 0) & (lengths < np.inf)
    if not sound.all():
        at = int(sound.argmin())
        found = f"{grains[at]}, {lengths[at]} and {rests[at]}"
        where = f"tensor 'constants' of item {at}"
        raise FormatError(path, where, expected, found)


def _check_codes(path: AnyPath, prepared: Prepared) -> None:
    """Raise unless all bfloat16 codes lie in [-2, 2]: no rows are there to be looked at instead."""
    panels: Any = prepared.panels
    step = max(1, 2 * _BLOCK // max(1, panels.shape[1]))
    for begin in range(0, len(panels), step):
        wrong = (panels[begin : begin + step].view(np.uint16) & 0x7FFF) > _TWO
        if wrong.any():
            panel = begin + int(wrong.any(axis=1).argmax())
            where = f"tensor 'panels', panel {panel}"
            raise FormatError(path, where, "codes from -2 to 2", "others")
