# SPDX-License-Identifier: Apache-2.0
"""Squares ten numbers in worker processes, through ctypes."""
import ctypes
from ctypes import POINTER, c_int, c_size_t, c_void_p

FORK = 1
mpc = ctypes.CDLL("libmpc.so.0")
map_fn = ctypes.CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))
mpc.mpc_pool_create.argtypes = [c_void_p, POINTER(c_void_p)]
mpc.mpc_pool_map.argtypes = [
    c_void_p, map_fn, c_void_p, c_size_t, c_size_t, c_void_p, c_size_t, c_void_p
]
mpc.mpc_pool_destroy.argtypes = [c_void_p]


def check(status):
    if status < 0:
        message = ctypes.create_string_buffer(256)
        mpc.mpc_last_error_message(message, c_size_t(len(message)))
        raise RuntimeError(message.value.decode())


@map_fn
def square(item, result):
    result[0] = item[0] * item[0]
    return 0


# ctypes makes the callback at run time. It is in no file that a fresh image could load, so the
# workers have to begin as copies of this process. A function of a library runs under every method.
check(mpc.mpc_start_method_set(FORK, 0))
pool = c_void_p()
items = (c_int * 10)(*range(10))
results = (c_int * 10)()
check(mpc.mpc_pool_create(None, ctypes.byref(pool)))
check(mpc.mpc_pool_map(pool, square, items, 10, 4, results, 4, None))
print(*results)
check(mpc.mpc_pool_destroy(pool))
