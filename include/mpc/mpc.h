/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * libmpc: Python's multiprocessing for C, and for every language that can call C.
 *
 * Start with mpc_pool_map() (mpc/pool.h): it shares the items of an array out among worker
 * processes and reads like qsort(). mpc/process.h starts single processes, mpc/program.h is for
 * executables that are started as such, and mpc/current.h is what a process knows of itself;
 * mpc/group.h and mpc/block.h are the memory that they share. mpc/base.h has the rules that hold
 * for every call, mpc/error.h the status codes.
 *
 * What sets it apart from fork() and a pipe: any of the processes may be killed at any instruction,
 * and the others neither hang nor find anything broken. The work in the dead one's hands is
 * reported, by name; nothing else is lost.
 */
#ifndef LIBMPC_MPC_H
#define LIBMPC_MPC_H

#include <mpc/base.h>
#include <mpc/block.h>
#include <mpc/current.h>
#include <mpc/error.h>
#include <mpc/forkserver.h>
#include <mpc/function.h>
#include <mpc/group.h>
#include <mpc/log.h>
#include <mpc/pool.h>
#include <mpc/process.h>
#include <mpc/process_control.h>
#include <mpc/program.h>
#include <mpc/start_method.h>

#endif
