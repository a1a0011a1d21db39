# SPDX-License-Identifier: Apache-2.0
"""Starts a process that runs a Python function with arguments, through ctypes."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p

FOREVER = c_int64(-1)
FORK = 1
mpc = ctypes.CDLL("libmpc.so.0")
process_fn = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_void_p, c_size_t)


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
        ("refs", c_void_p),
        ("ref_count", c_size_t),
    ]


mpc.mpc_process_create.argtypes = [process_fn, POINTER(ProcessOptions), POINTER(c_void_p)]
mpc.mpc_process_start.argtypes = [c_void_p]
mpc.mpc_process_join.argtypes = [c_void_p, c_int64]
mpc.mpc_process_exit_code.argtypes = [c_void_p, POINTER(c_int)]
mpc.mpc_process_destroy.argtypes = [c_void_p]
mpc.mpc_process_current_name.argtypes = [c_char_p, c_size_t]
mpc.mpc_process_current_name.restype = c_size_t
mpc.mpc_last_error_message.argtypes = [c_char_p, c_size_t]


def check(status):
    if status < 0:
        message = ctypes.create_string_buffer(256)
        mpc.mpc_last_error_message(message, len(message))
        raise RuntimeError(message.value.decode())


@process_fn
def greet(argument, size, refs, ref_count):
    name = ctypes.create_string_buffer(64)
    mpc.mpc_process_current_name(name, len(name))
    # Python's own buffers are not flushed at the end of the process.
    print(f"{name.value.decode()}: hello, {ctypes.string_at(argument, size).decode()}", flush=True)
    return 7


whom = "Ada".encode()
# The callback was made at run time and is in no file: only a copy of this process has it.
options = ProcessOptions(ctypes.sizeof(ProcessOptions), start_method=FORK, name=b"greeter")
options.argument, options.argument_size = whom, len(whom)
process, exit_code = c_void_p(), c_int()
check(mpc.mpc_process_create(greet, byref(options), byref(process)))
check(mpc.mpc_process_start(process))
check(mpc.mpc_process_join(process, FOREVER))
check(mpc.mpc_process_exit_code(process, byref(exit_code)))
check(mpc.mpc_process_destroy(process))
print(f"joined, exit code {exit_code.value}")
