# SPDX-License-Identifier: Apache-2.0
"""cpython_start.py METHOD STARTS: prints the median time, in microseconds, that CPython takes to
start and join a process by this start method."""
import multiprocessing
import statistics
import sys
import time


def nothing():
    sys.exit(3)


def once(context):
    begin = time.perf_counter()
    process = context.Process(target=nothing)
    process.start()
    process.join()
    assert process.exitcode == 3
    process.close()
    return 1e6 * (time.perf_counter() - begin)


def main():
    context = multiprocessing.get_context(sys.argv[1])
    once(context)
    print(statistics.median(once(context) for _ in range(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
