"""What the part "valgrind" counts on: what was never written is seen, what was written is not."""

import shutil

import pytest

from trust import valgrind

SEARCH = """
import numpy as np
from firth import kernels
kernels.topk(np.ones((3, 30), np.float32), np.{}((5000, 30), np.float32), 3)
print("searched")
"""


@pytest.mark.unsanitized
@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
def test_valgrind_sees_what_was_never_written():
    assert not valgrind.used("v2", SEARCH.format("ones")).failures
    seen = valgrind.used("v2", SEARCH.format("empty"))
    assert any("uninitialised" in failure for failure in seen.failures)
