"""The kernels in plain array code over numpy or cupy: the fallback where nothing is compiled.

Each function has the signature of its compiled twin; ``threads`` and ``isa`` have no meaning here and are ignored.
"""

# ---- tokens -------------------------------------------------------------------------------------

from firth._text_arrays import WordCounter as WordCounter
from firth._text_arrays import tokens as tokens

# ---- negative_sampling --------------------------------------------------------------------------

# ---- topk ---------------------------------------------------------------------------------------
