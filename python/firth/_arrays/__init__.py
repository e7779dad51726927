"""The kernels in plain array code over numpy or cupy: the fallback where nothing is compiled.

Each function has the signature of its compiled twin; ``threads`` and ``isa`` have no meaning here
and are ignored.
"""

from firth._arrays._classification import classification
from firth._arrays._cooccurrence import FREQUENT_WORDS, cooccurrence, merge_counts, places
from firth._arrays._cosine import prepare, topk
from firth._arrays._glove import glove
from firth._arrays._negative_sampling import alias_table, negative_sampling
from firth._arrays._ranking import ranking
from firth._arrays._subwords import arrow_rows, bag_means, lines, subword_means, subwords
from firth._arrays._tokens import WordCounter, tokens
from firth._arrays._walks import walks

__all__ = [
    "FREQUENT_WORDS",
    "WordCounter",
    "alias_table",
    "arrow_rows",
    "bag_means",
    "classification",
    "cooccurrence",
    "glove",
    "lines",
    "merge_counts",
    "negative_sampling",
    "places",
    "prepare",
    "ranking",
    "subword_means",
    "subwords",
    "tokens",
    "topk",
    "walks",
]
