"""The progress bar: silent unless enabled, and what it shows when it is."""

import io
import subprocess
import sys
import threading

import pytest

from firth._progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(enabled, total=2_000_000):
    with Progress(enabled, total=total, desc="training", unit="words") as progress:
        progress.update(total / 2)
        progress.note(loss=0.243187, lr=0.0125, epoch=3)
        progress.update(total / 2)
    return progress


def test_false_writes_nothing_even_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(False)
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal, True), (io.StringIO, False)])
def test_none_draws_only_on_a_terminal(monkeypatch, stream, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert run(None).enabled is drawn
    assert bool(sys.stderr.getvalue()) is drawn


def test_none_is_silent_without_any_stderr(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        assert run(None).enabled is False


def test_the_bar_shows_share_rate_time_left_and_figures(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run(True)
    last = sys.stderr.getvalue().rstrip("\n").split("\r")[-1]
    assert last.startswith("training 100%|")
    assert "2.00M/2.00M words [" in last
    assert "words/s" in last
    assert last.endswith("loss 0.2432, lr 0.0125, epoch 3]")
    assert sys.stderr.getvalue().endswith("\n")


def test_an_unknown_total_still_counts(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(True, total=0, desc="reading", unit="words") as progress:
        progress.update(5000)
    assert "5.00k words [" in sys.stderr.getvalue()


def test_the_bar_is_closed_when_the_task_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with (
        pytest.raises(KeyboardInterrupt),
        Progress(True, total=10, desc="training", unit="words") as progress,
    ):
        raise KeyboardInterrupt
    assert sys.stderr.getvalue().endswith("\n")
    progress.update(1)  # counts for nothing, and writes nothing
    assert sys.stderr.getvalue().endswith("\n")


def test_no_thread_is_left_behind(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    before = threading.active_count()
    run(True)
    assert threading.active_count() == before


def test_tqdm_is_not_imported_unless_it_is_drawn():
    code = (
        "import sys; from firth._progress import Progress\n"
        "with Progress(None, total=1, desc='d', unit='u') as p: p.update(1)\n"
        "assert 'tqdm' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.returncode == 0
    assert done.stderr == b""
