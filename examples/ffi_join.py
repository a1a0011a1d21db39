# SPDX-License-Identifier: Apache-2.0
"""Joins the group of another program through a socket path, through ctypes.

Without arguments it listens, and runs itself once more as a program that joins.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
from ctypes import POINTER, byref, c_char_p, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

SECOND = 1_000_000_000
mpc = ctypes.CDLL("libmpc.so.0")


class Ref(ctypes.Structure):
    _fields_ = [
        ("group", c_uint64),
        ("kind", c_uint32),
        ("place", c_uint32),
        ("generation", c_uint32),
        ("reserved", c_uint32),
    ]


mpc.mpc_block_create.argtypes = [c_size_t, POINTER(c_void_p)]
mpc.mpc_block_attach.argtypes = [POINTER(Ref), POINTER(c_void_p)]
mpc.mpc_block_ref.argtypes = [c_void_p, POINTER(Ref)]
mpc.mpc_block_address.argtypes = [c_void_p]
mpc.mpc_block_address.restype = c_void_p
mpc.mpc_block_detach.argtypes = [c_void_p]
mpc.mpc_group_listen.argtypes = [c_char_p]
mpc.mpc_group_join_path.argtypes = [c_char_p, c_int64]
mpc.mpc_last_error_message.argtypes = [c_char_p, c_size_t]


def check(status):
    if status < 0:
        message = ctypes.create_string_buffer(256)
        mpc.mpc_last_error_message(message, len(message))
        raise RuntimeError(message.value.decode())


def join(path, ref_bytes):
    block, ref = c_void_p(), Ref.from_buffer_copy(bytes.fromhex(ref_bytes))
    check(mpc.mpc_group_join_path(os.fsencode(path), 10 * SECOND))
    check(mpc.mpc_block_attach(byref(ref), byref(block)))
    print("the one who joined reads:", ctypes.string_at(mpc.mpc_block_address(block)).decode())
    ctypes.memmove(mpc.mpc_block_address(block), b"hello, whoever listens\0", 23)
    check(mpc.mpc_block_detach(block))
    check(mpc.mpc_group_leave())


def serve(path):
    block, ref = c_void_p(), Ref()
    check(mpc.mpc_block_create(100, byref(block)))
    check(mpc.mpc_block_ref(block, byref(ref)))
    ctypes.memmove(mpc.mpc_block_address(block), b"hello, whoever joins\0", 21)
    check(mpc.mpc_group_listen(os.fsencode(path)))
    subprocess.run([sys.executable, __file__, path, bytes(ref).hex()], check=True)
    print("the one who listens reads:", ctypes.string_at(mpc.mpc_block_address(block)).decode())
    check(mpc.mpc_block_detach(block))
    check(mpc.mpc_group_leave())


if len(sys.argv) == 3:
    join(*sys.argv[1:])
else:
    with tempfile.TemporaryDirectory() as folder:
        serve(os.path.join(folder, "group"))
