"""From how many items on an approximate search in a catalog pays.

    pip install -e .[faiss] && python -m benchmarks.catalog_search

Random items of as many numbers as color features have. Reported are the time of a query by one
matrix product and by HNSW of faiss, with the settings of `matching/catalog.py`; the time to build
the latter; and the share of the exact matches that it finds.
"""

import time

import faiss
import numpy as np

from discogan_tf.matching import catalog

_FEATURES, _QUERIES, _MATCHES = 16, 50, 12


def _exact(values: np.ndarray, squares: np.ndarray, query: np.ndarray) -> np.ndarray:
    squared = squares - 2 * values @ query
    nearest = np.argpartition(squared, _MATCHES)[:_MATCHES]
    return nearest[np.argsort(squared[nearest])]


def _timed(function, queries: np.ndarray) -> tuple[list, float]:
    """The results, and milliseconds per query."""
    started = time.perf_counter()
    results = [function(query) for query in queries]
    return results, 1000 * (time.perf_counter() - started) / len(queries)


def main() -> None:
    rng = np.random.default_rng(0)
    print("| items | exact, ms | HNSW, ms | to build it, s | its recall |\n|---|---|---|---|---|")
    for count in (10_000, 100_000, 1_000_000):
        values, queries = (
            rng.standard_normal((n, _FEATURES)).astype(np.float32) for n in (count, _QUERIES)
        )
        squares = (values**2).sum(1)
        exact, exact_ms = _timed(lambda q, v=values, s=squares: _exact(v, s, q), queries)
        started = time.perf_counter()
        index = faiss.IndexHNSWFlat(_FEATURES, catalog.NEIGHBORS)
        index.add(values)
        build_secs = time.perf_counter() - started
        index.hnsw.efSearch = catalog.EFFORT
        found, hnsw_ms = _timed(lambda q, i=index: i.search(q[np.newaxis], _MATCHES)[1][0], queries)
        pairs = zip(exact, found, strict=True)
        recall = np.mean([len({*one} & {*other}) / _MATCHES for one, other in pairs])
        print(
            f"| {count:,} | {exact_ms:.1f} | {hnsw_ms:.1f} | {build_secs:.0f} | {recall:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
