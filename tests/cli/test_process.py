"""The command as a process: pipes, bytes that are not UTF-8, terminals, signals, imports."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import firth

WAITING = """
import dataclasses, sys, time
import numpy as np
import firth
from firth import cli
from firth.cli import train

@dataclasses.dataclass(frozen=True)
class Slow:
    keeps: bool = True
    save_seconds: float = 0.0

    def fit(self, source, progress=False):
        emb = firth.Embedding(["a", "b"], np.eye(2, dtype=np.float32))
        if self.save_seconds:
            write = firth.Embedding.write
            def slow(*args, **more):
                print("saving", file=sys.stderr, flush=True)
                time.sleep(self.save_seconds)
                write(*args, **more)
            firth.Embedding.write = slow
            if source == "finished":
                return emb
        try:
            print("training", file=sys.stderr, flush=True)
            time.sleep(60)
        except KeyboardInterrupt as stop:
            if self.keeps:
                stop.embedding = emb
            raise

train.MODELS["slow"] = (None, None)
train.model_of = lambda name: Slow
sys.exit(cli.main(sys.argv[1:]))
"""


def wait_for(process, word):
    while (line := process.stderr.readline()).strip() != word:
        assert line, f"ended before it said {word}"


def interrupted(process):
    """Send Ctrl-C, and return the seconds until the end, the exit code, stdout and stderr."""
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(30)
    seconds = time.perf_counter() - start
    out, err = process.stdout.read(), process.stderr.read()
    return seconds, process.returncode, out, err.decode()


# ---- Ctrl-C -------------------------------------------------------------------------------------


@pytest.mark.unsanitized
def test_ctrl_c_ends_training_at_once_and_keeps_what_was_learnt(shell, tmp_path):
    seconds = []
    for trial in range(3):
        out = tmp_path / f"out{trial}"
        process = shell("train", "slow", "text", "-o", out, script=WAITING, popen=True)
        wait_for(process, b"training")
        took, code, said, err = interrupted(process)
        assert (code, said) == (130, b"")
        assert err == f"firth: interrupted; kept 2 vectors of 2 numbers in {out}\n"
        assert firth.load(out).keys == ["a", "b"]
        seconds.append(took)
    assert min(seconds) < 0.2


def test_ctrl_c_before_anything_is_learnt_leaves_nothing(shell, tmp_path):
    process = shell(
        *("train", "slow", "text", "-o", tmp_path / "out", "--no-keeps"), script=WAITING, popen=True
    )
    wait_for(process, b"training")
    _, code, out, err = interrupted(process)
    assert (code, out, err) == (130, b"", "firth: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_gives_up_the_rest(shell, tmp_path):
    process = shell(
        *("train", "slow", "text", "-o", tmp_path / "out", "--save-seconds", 30),
        script=WAITING,
        popen=True,
    )
    wait_for(process, b"training")
    process.send_signal(signal.SIGINT)
    wait_for(process, b"saving")
    _, code, out, err = interrupted(process)
    assert (code, out, err) == (130, b"", "firth: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_a_finished_training_is_saved_waits_for_the_file(shell, tmp_path):
    out = tmp_path / "out"
    process = shell(
        *("train", "slow", "finished", "-o", out, "--save-seconds", 0.5), script=WAITING, popen=True
    )
    wait_for(process, b"saving")
    _, code, _, err = interrupted(process)
    assert code == 130
    assert err == f"firth: interrupted; kept 2 vectors of 2 numbers in {out}\n"
    assert firth.load(out).keys == ["a", "b"]


def test_ctrl_c_at_the_prompt(shell, vectors):
    process = shell("nearest", vectors, "-k", 1, popen=True)
    process.stdin.write(b"king\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"king\tKing\t")
    _, code, out, err = interrupted(process)
    assert (code, out, err) == (130, b"", "firth: interrupted\n")


# ---- pipes --------------------------------------------------------------------------------------


def test_bytes_that_are_not_utf8_come_through_as_they_are(shell, vectors, tmp_path):
    words = ["straße".encode(), b"b\xff", b"King"]
    done = shell("nearest", vectors, "-k", 1, input=b"\n".join(words))
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.split(b"\t")[:2] for line in done.stdout.splitlines()] == [
        [words[0], words[1]],
        [words[1], words[0]],
        [b"King", b"king"],
    ]
    done = shell("nearest", vectors, os.fsdecode(b"b\xff"), "-k", 1)
    assert done.stdout.startswith("straße\t".encode())
    done = shell("nearest", vectors, os.fsdecode(b"c\xff"))
    assert done.returncode == 1
    assert done.stderr == b"firth: error: unknown word: c\\udcff (of 8 known ones)\n"
    done = shell("convert", vectors, "-")
    assert b"\nb\xff 0" in done.stdout


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_output_is_utf8_in_every_locale(shell, vectors, locale):
    environment = {
        **os.environ,
        "LC_ALL": locale,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = shell("nearest", vectors, "-k", 1, input="straße\n".encode(), env=environment)
    assert done.stdout.startswith("straße\tb".encode())


def test_lines_are_answered_one_by_one_to_a_program_that_waits(shell, vectors):
    process = shell("analogy", vectors, "-k", 1, popen=True)
    for _ in range(3):
        process.stdin.write(b"man king woman\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"man\tking\twoman\tqueen\t")
    out, err = process.communicate(b"\nman king\nman king yeti\nman king woman")
    assert out.startswith(b"man\tking\twoman\tqueen\t")
    assert err == b"firth: man king: expected three words\nfirth: yeti: unknown word\n"
    assert process.returncode == 1


def test_unknown_words_among_the_lines_are_told_and_passed_over(shell, vectors):
    done = shell("nearest", vectors, "-k", 1, input=b"king\nyeti\n\nqueen\n")
    assert [line.split(b"\t")[0] for line in done.stdout.splitlines()] == [b"king", b"queen"]
    assert done.stderr == b"firth: yeti: unknown word\n"
    assert done.returncode == 1


def test_vectors_can_be_piped_from_command_to_command(shell, vectors, emb):
    text = shell("convert", vectors, "-").stdout
    binary = shell("convert", "-", "-", "--to", "word2vec-binary", input=text).stdout
    assert shell("convert", "-", "-", input=binary).stdout == text
    assert shell("nearest", "-", "king", "-k", 1, input=binary).stdout.startswith(b"King\t")
    done = shell("convert", "-", "-", input=b"\x00nothing known")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)


def test_a_reader_that_goes_away_is_no_error(shell, vectors):
    process = shell("nearest", vectors, "-k", 1, popen=True)
    process.stdout.close()
    process.stdin.write(b"king\n" * 100)
    process.stdin.close()
    process.wait(30)
    assert process.stderr.read() == b""
    assert process.returncode == 141


def test_closed_streams_do_not_keep_a_file_from_being_written(vectors, tmp_path):
    command = f"{sys.executable} -m firth convert {vectors} {tmp_path}/out <&- >&- 2>&-"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(["sh", "-c", command], env=path).returncode == 0
    assert len(firth.load(tmp_path / "out")) == 8


def test_a_full_disk_is_one_line(vectors):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "firth", "nearest", vectors, "king", "-k", "1"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode == 1
    assert done.stderr == b"firth: error: No space left on device\n"


# ---- terminals, imports -------------------------------------------------------------------------


def test_a_person_gets_a_prompt_on_the_terminal(vectors):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "firth", "nearest", vectors, "-k", "1"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.write(ours, b"king\nyeti\n\x04")
    out, err = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert out.startswith(b"king\tKing\t")
    assert err == b"> > firth: yeti: unknown word\n> \n"
    assert process.returncode == 1


def test_commands_import_only_what_they_need(shell):
    script = (
        "import sys; from firth.cli import main; main(sys.argv[1:])\n"
        "assert not {'numpy', 'tqdm', 'firth._cpu'} & sys.modules.keys(), sys.modules.keys()"
    )
    for argv in (["--version"], ["--help"], ["nearest", "-k"]):
        assert b"Error" not in shell(*argv, script=script).stderr
