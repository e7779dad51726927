"""The progress bar: tqdm on stderr, drawn only if asked for.

A library that prints unasked spoils logs and notebooks, so nothing is written, and tqdm is not even
imported, unless the bar is enabled. No monitor thread is started: it would live on in the user's
process and in its forks.
"""

import sys
from types import TracebackType
from typing import Any, Self

FORMAT = (
    "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit} "
    "[{elapsed}<{remaining}, {rate_fmt}{postfix}]"
)


def on_terminal() -> bool:
    """Whether stderr is a terminal that somebody may be looking at."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # no stderr at all (None), or a closed one
        return False


class Progress:
    """How far a long task has come: share done, rate, time left and a few figures such as the loss.

    Parameters
    ----------
    enabled
        True draws the bar, False writes nothing, None draws it only if stderr is a terminal.
    total
        How many units there are; 0 if that is not known.
    desc
        What is being done, in a word or two.
    unit
        What is counted, as in ``words``.

    Examples
    --------
    >>> with Progress(False, total=1e6, desc="training", unit="words") as progress:
    ...     progress.update(1000)
    ...     progress.note(loss=0.2431)
    """

    def __init__(self, enabled: bool | None, total: float, desc: str, unit: str) -> None:
        self.enabled = on_terminal() if enabled is None else enabled
        self.total, self.desc, self.unit = total, desc, unit
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Draw the bar."""
        if self.enabled:
            self._bar = _bar(self.total, self.desc, self.unit)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen and end its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def update(self, n: float) -> None:
        """Count `n` more units as done."""
        if self._bar is not None:
            self._bar.update(n)

    def note(self, **values: object) -> None:
        """Show these figures at the end of the bar when it is next drawn."""
        if self._bar is not None:
            shown = (
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in values.items()
            )
            self._bar.set_postfix_str(", ".join(shown), refresh=False)


def _bar(total: float, desc: str, unit: str) -> Any:
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
        monitor_interval = 0

    return Bar(
        total=total or None,
        desc=desc,
        unit=unit if total else f" {unit}",
        unit_scale=True,
        dynamic_ncols=True,
        miniters=0,  # look at the clock on every update: a guess from early ones could freeze it
        file=sys.stderr,
        bar_format=FORMAT if total else None,
    )
