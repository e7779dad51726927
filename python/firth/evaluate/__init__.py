"""How good an embedding is: what it says about words held against what people say. numpy only."""

from firth.evaluate.analogy import Analogies, Section, analogies
from firth.evaluate.similarity import WordPairs, word_pairs

__all__ = ["Analogies", "Section", "WordPairs", "analogies", "word_pairs"]
