// SPDX-License-Identifier: Apache-2.0
// The word count by a pool: one map over shares of the files.
#ifndef WORDCOUNT_POOL_H
#define WORDCOUNT_POOL_H

#include <mpc/mpc.h>

#include "wordcount_files.h"

// Called as shares are done; `fraction` is how much of the work that is.
typedef void (*pool_progress_fn)(double fraction, void* user_data);

// Counts the words of all shares into an empty table. A worker that dies, or any other failure,
// makes the whole count fail: mpc_last_error_message() says why.
mpc_status count_with_pool(mpc_pool* pool, const share_list* shares, pool_progress_fn progress,
                           void* user_data, word_table* table, file_tally* tally);

#endif
