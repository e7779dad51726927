"""firth: embeddings from the company things keep, trained fast and searched exactly.

`Word2Vec`, `FastText`, `FastTextClassifier`, `GloVe` and `PPMI` learn from text; `Embedding`,
`SubwordEmbedding` and `Classifier` are what they return and what `read` and `load` get from files.
`Interactions` say who has met what; `BPR`, `WARP`, `LightGCN` and `EASE` make a `Recommender` of
them, `ItemToVec` vectors of items.
A `Learner` goes on learning from text after text.
`Counts` say which company words keep, for `GloVe`, `PPMI` and collocations; `CSR` is the sparse
matrix in them. `kernels` are the functions on arrays that all of it is made of, `evaluate` holds
vectors against what people say.

Names are imported when they are first used, so that ``import firth`` itself costs milliseconds.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from firth import evaluate, kernels
    from firth._config import set_num_threads, show_config
    from firth._errors import FormatError
    from firth.classifier import Classifier
    from firth.corpus import Corpus
    from firth.counts import Counts
    from firth.csr import CSR
    from firth.embedding import Embedding
    from firth.formats import load, read
    from firth.graph import Graph
    from firth.interactions import Interactions
    from firth.learner import Learner
    from firth.models.bpr import BPR
    from firth.models.ease import EASE
    from firth.models.fastrp import FastRP
    from firth.models.fasttext import FastText
    from firth.models.fasttext_classifier import FastTextClassifier
    from firth.models.glove import GloVe
    from firth.models.item2vec import ItemToVec
    from firth.models.lightgcn import LightGCN
    from firth.models.line import LINE
    from firth.models.node2vec import DeepWalk, Node2Vec
    from firth.models.ppmi import PPMI
    from firth.models.warp import WARP
    from firth.models.word2vec import Word2Vec
    from firth.recommender import Recommender
    from firth.subword_embedding import SubwordEmbedding
    from firth.subwords import Subwords
    from firth.vocabulary import Vocabulary

_HOMES = {
    "BPR": "firth.models.bpr",
    "Classifier": "firth.classifier",
    "Corpus": "firth.corpus",
    "Counts": "firth.counts",
    "CSR": "firth.csr",
    "DeepWalk": "firth.models.node2vec",
    "EASE": "firth.models.ease",
    "Embedding": "firth.embedding",
    "FastRP": "firth.models.fastrp",
    "FastText": "firth.models.fasttext",
    "FastTextClassifier": "firth.models.fasttext_classifier",
    "FormatError": "firth._errors",
    "GloVe": "firth.models.glove",
    "Graph": "firth.graph",
    "Interactions": "firth.interactions",
    "ItemToVec": "firth.models.item2vec",
    "LINE": "firth.models.line",
    "Learner": "firth.learner",
    "Node2Vec": "firth.models.node2vec",
    "LightGCN": "firth.models.lightgcn",
    "PPMI": "firth.models.ppmi",
    "Recommender": "firth.recommender",
    "SubwordEmbedding": "firth.subword_embedding",
    "Subwords": "firth.subwords",
    "Vocabulary": "firth.vocabulary",
    "WARP": "firth.models.warp",
    "Word2Vec": "firth.models.word2vec",
    "load": "firth.formats",
    "read": "firth.formats",
    "set_num_threads": "firth._config",
    "show_config": "firth._config",
}
_MODULES = ("evaluate", "kernels")

__all__ = [
    "BPR",
    "CSR",
    "EASE",
    "LINE",
    "PPMI",
    "WARP",
    "Classifier",
    "Corpus",
    "Counts",
    "DeepWalk",
    "Embedding",
    "FastRP",
    "FastText",
    "FastTextClassifier",
    "FormatError",
    "GloVe",
    "Graph",
    "Interactions",
    "ItemToVec",
    "Learner",
    "LightGCN",
    "Node2Vec",
    "Recommender",
    "SubwordEmbedding",
    "Subwords",
    "Vocabulary",
    "Word2Vec",
    "__version__",
    "evaluate",
    "kernels",
    "load",
    "read",
    "set_num_threads",
    "show_config",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"firth.{name}")
    else:
        raise AttributeError(f"module 'firth' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
