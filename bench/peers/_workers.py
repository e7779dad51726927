"""A peer in an environment of its own: a Python that is asked, and answers, by lines of JSON.

This file is run there, too, so it needs nothing but the standard library.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Worker:
    """A script of this folder, run by another Python; it lives until this process ends."""

    def __init__(self, python, script):
        self.name = f"{script} by {python}"
        self._process = subprocess.Popen(
            [python, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"NUMBA_NUM_THREADS": "1", "PYTHONPATH": ""},
        )  # fmt: skip

    def __call__(self, task, **given):
        """Return what a task answers."""
        try:
            print(json.dumps({"task": task, "given": given}), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            sys.exit(f"{self.name} ended with {self._process.wait()}: {task} {given}")
        return json.loads(answer)

    def close(self):
        """End it, and with it what it holds."""
        self._process.stdin.close()
        self._process.wait()


def serve(tasks):
    """Answer until there are no more questions; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(tasks[asked["task"]](**asked["given"])), file=answers, flush=True)
