# SPDX-License-Identifier: Apache-2.0
"""A worker that parent.c starts: it writes what it is asked for into the block that it is given."""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p

mpc = ctypes.CDLL("libmpc.so.0")  # from here on this process is a member of its parent's group
mpc.mpc_block_attach.argtypes = [c_void_p, POINTER(c_void_p)]
mpc.mpc_block_address.argtypes = [c_void_p]
mpc.mpc_block_address.restype = POINTER(c_int)
mpc.mpc_block_size.argtypes = [c_void_p]
mpc.mpc_block_size.restype = c_size_t
mpc.mpc_block_detach.argtypes = [c_void_p]
mpc.mpc_process_current_name.argtypes = [c_char_p, c_size_t]
mpc.mpc_process_current_name.restype = c_size_t


def check(status):
    if status < 0:
        message = ctypes.create_string_buffer(512)
        mpc.mpc_last_error_message(message, c_size_t(len(message)))
        sys.exit(message.value.decode())


argument, size, refs, count = c_void_p(), c_size_t(), c_void_p(), c_size_t()
check(mpc.mpc_program_begin(byref(argument), byref(size), byref(refs), byref(count)))
name = ctypes.create_string_buffer(64)
mpc.mpc_process_current_name(name, len(name))
print(f"{name.value.decode()} in Python: {ctypes.string_at(argument, size.value).decode()}",
      flush=True)

block = c_void_p()
check(mpc.mpc_block_attach(refs, byref(block)))
numbers = mpc.mpc_block_address(block)
for i in range(mpc.mpc_block_size(block) // ctypes.sizeof(c_int)):
    numbers[i] = i * i
check(mpc.mpc_block_detach(block))
sys.exit(3)
