"""Arrays put together from pieces are what numpy makes of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth._pieces import together


@given(st.lists(st.lists(st.integers(-9, 9), max_size=20), max_size=6), st.integers(1, 5))
def test_pieces_that_are_put_together_are_all_there_and_gone(rows, step):
    pieces = [np.array(some, np.int32) for some in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firth._pieces._ROWS", step)
        whole = together(pieces, np.int64)
    assert whole.dtype == np.int64
    assert whole.tolist() == [one for some in rows for one in some]
    assert not pieces


def test_a_piece_alone_is_not_copied():
    piece = np.arange(3)
    assert together([piece], np.int64) is piece
    assert together([piece], np.int32).tolist() == [0, 1, 2]
