# SPDX-License-Identifier: Apache-2.0
"""Prints how many items a second CPython's Pool.map gets through, with a small function."""
import multiprocessing
import sys
import time


def function(item):
    return 3 * item + 1


def main():
    count, workers = int(sys.argv[1]), int(sys.argv[2])
    items = list(range(count))
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(function, range(1000))
        begin = time.perf_counter()
        results = pool.map(function, items)
        seconds = time.perf_counter() - begin
    assert results == [3 * item + 1 for item in items]
    print(count / seconds)


if __name__ == "__main__":
    main()
