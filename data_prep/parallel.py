"""Parallel work on many images, with the results in order."""

import collections
import concurrent.futures
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Threads are enough, because the decoders release the GIL.
_THREADS = os.cpu_count() or 1
# Images per task: a task for each image would have too much overhead.
_TOGETHER = 16
# Tasks in flight for each thread, so that the producer of items never waits.
_AHEAD = 16


def in_order(work: Callable[[Any], Any], items: Iterable) -> Iterator:
    """Yields work(item) for each item, in their order; few of either are in memory at any time."""
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        in_work: collections.deque = collections.deque()
        while chunk := list(itertools.islice(items, _TOGETHER)):
            in_work.append(pool.submit(lambda chunk: [work(item) for item in chunk], chunk))
            if len(in_work) > _AHEAD * _THREADS:
                yield from in_work.popleft().result()
        for results in in_work:
            yield from results.result()
