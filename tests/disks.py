"""What tests of files without a name share: how many there are, and a disk that becomes full."""

import gc
import resource
from contextlib import contextmanager
from pathlib import Path


def files_in(folder):
    """How many files of this process lie in a folder, open or mapped, though it lists none."""
    gc.collect()
    names = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(link.readlink()))
        except FileNotFoundError:  # the listing itself
            continue
    names += Path("/proc/self/maps").read_text().splitlines()
    return sum(f"{folder}/" in name for name in names)


@contextmanager
def file_limit(most):
    """Let no file grow beyond so many bytes, as on a disk that becomes full."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
