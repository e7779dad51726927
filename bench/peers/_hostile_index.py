"""How faiss, usearch and model2vec answer the bad inputs."""

import numpy as np
from _hostile_native import names, way
from _measure import imported


def faiss_ways():
    """Return the ways of faiss, with a flat index of inner products, and its own format."""
    faiss = imported("faiss")

    def search(case, _):
        given = case.given
        index = faiss.IndexFlatIP(np.shape(given["items"])[-1])
        index.add(given["items"])
        scores, ids = index.search(given["queries"], given["k"])
        return ids, scores

    def made(vectors):
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    def save(index, path):
        faiss.write_index(index, str(path))

    def load(path):
        index = faiss.read_index(str(path))
        index.search(np.ones((1, index.d), np.float32), 10)
        return names(index.ntotal), index.reconstruct_n(0, index.ntotal)

    return {"search": search, "own format": way(made, save, load)}, (made, save, load)


def usearch_ways():
    """Return the ways of usearch, with exact searches, and its own format."""
    usearch = imported("usearch.index")

    def search(case, _):
        given = case.given
        index = usearch.Index(ndim=np.shape(given["items"])[-1], metric="ip", dtype="f32")
        index.add(np.arange(len(given["items"])), given["items"])
        found = index.search(given["queries"], given["k"], exact=True)
        keys, far = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
        return keys.astype(np.int64), 1 - far

    def made(vectors):
        index = usearch.Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
        index.add(np.arange(len(vectors)), vectors)
        return index

    def save(index, path):
        index.save(str(path))

    def load(path):
        index = usearch.Index.restore(str(path))
        if index is None:
            raise ValueError("restore: the file is not a valid index")
        index.search(np.ones((1, index.ndim), np.float32), 10)
        return names(len(index)), np.array(index.get(np.arange(len(index))))

    return {"search": search, "own format": way(made, save, load)}, (made, save, load)


def model2vec_ways():
    """Return the ways of model2vec and its own format, a static model in safetensors."""
    model2vec, tokenizers = imported("model2vec"), imported("tokenizers")

    def made(vectors):
        ids = {word: at for at, word in enumerate(names(len(vectors)))}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, "word0"))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        return model2vec.StaticModel(vectors, tokenizer)

    def save(model, path):
        model.save_pretrained(str(path))

    def load(path):
        model = model2vec.StaticModel.from_pretrained(str(path), force_download=False)
        model.encode(["word1"])
        return list(model.tokens), np.array(model.embedding)

    return {"own format": way(made, save, load)}, (made, save, load)
