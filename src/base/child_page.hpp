// SPDX-License-Identifier: Apache-2.0
// What a start of a child touches is kept together: each page more is a fault at every start, in
// the child, and in the parent where it writes after the fork.
//
// MPC_CHILD_PAGE: for variables that are written then, or that a program which only links the
// library reads at its exit. In .data they share the page that the loader has touched already.
//
// MPC_CHILD_CODE: for functions that run in a forked child before its own. They stand in one place,
// beside the code that the loader runs.
#ifndef MPC_BASE_CHILD_PAGE_HPP
#define MPC_BASE_CHILD_PAGE_HPP

#define MPC_CHILD_PAGE [[gnu::section(".data")]] constinit

#define MPC_CHILD_CODE [[gnu::hot]]

#endif
