# SPDX-License-Identifier: Apache-2.0
"""Shares a block of memory with a child that fills it, through ctypes."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

FOREVER = c_int64(-1)
FORK = 1
COUNT = 10
mpc = ctypes.CDLL("libmpc.so.0")


class Ref(ctypes.Structure):
    _fields_ = [
        ("group", c_uint64),
        ("kind", c_uint32),
        ("place", c_uint32),
        ("generation", c_uint32),
        ("reserved", c_uint32),
    ]


class ProcessOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("start_method", c_uint32),
        ("daemon", c_uint32),
        ("detach", c_uint32),
        ("reserved", c_uint32),
        ("name", c_char_p),
        ("argument", c_char_p),
        ("argument_size", c_size_t),
        ("refs", POINTER(Ref)),
        ("ref_count", c_size_t),
    ]


process_fn = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, POINTER(Ref), c_size_t)
mpc.mpc_block_create.argtypes = [c_size_t, POINTER(c_void_p)]
mpc.mpc_block_attach.argtypes = [POINTER(Ref), POINTER(c_void_p)]
mpc.mpc_block_ref.argtypes = [c_void_p, POINTER(Ref)]
mpc.mpc_block_address.argtypes = [c_void_p]
mpc.mpc_block_address.restype = POINTER(c_int)
mpc.mpc_block_detach.argtypes = [c_void_p]
mpc.mpc_process_create.argtypes = [process_fn, POINTER(ProcessOptions), POINTER(c_void_p)]
mpc.mpc_process_start.argtypes = [c_void_p]
mpc.mpc_process_join.argtypes = [c_void_p, c_int64]
mpc.mpc_process_exit_code.argtypes = [c_void_p, POINTER(c_int)]
mpc.mpc_process_destroy.argtypes = [c_void_p]
mpc.mpc_last_error_message.argtypes = [c_char_p, c_size_t]


def check(status):
    if status < 0:
        message = ctypes.create_string_buffer(256)
        mpc.mpc_last_error_message(message, len(message))
        raise RuntimeError(message.value.decode())


@process_fn
def fill(argument, size, refs, ref_count):
    block = c_void_p()
    if ref_count != 1 or mpc.mpc_block_attach(refs, byref(block)) < 0:
        return 1
    squares = mpc.mpc_block_address(block)
    for i in range(COUNT):
        squares[i] = i * i
    return int(mpc.mpc_block_detach(block) < 0)


block, process, exit_code, ref = c_void_p(), c_void_p(), c_int(), Ref()
check(mpc.mpc_block_create(COUNT * ctypes.sizeof(c_int), byref(block)))
check(mpc.mpc_block_ref(block, byref(ref)))
# The callback was made at run time and is in no file: only a copy of this process has it.
options = ProcessOptions(ctypes.sizeof(ProcessOptions), start_method=FORK)
options.refs, options.ref_count = ctypes.pointer(ref), 1
check(mpc.mpc_process_create(fill, byref(options), byref(process)))
check(mpc.mpc_process_start(process))
check(mpc.mpc_process_join(process, FOREVER))
check(mpc.mpc_process_exit_code(process, byref(exit_code)))
check(mpc.mpc_process_destroy(process))
print("the child ended with", exit_code.value)
print("it wrote:", *mpc.mpc_block_address(block)[:COUNT])
check(mpc.mpc_block_detach(block))
