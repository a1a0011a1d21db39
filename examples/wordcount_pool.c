// SPDX-License-Identifier: Apache-2.0
#include "wordcount_pool.h"

#include <stdlib.h>
#include <string.h>

// Runs in a worker. The result is the share's tally and then its words. Table and result keep their
// memory from one share to the next.
static int count_item(const void* item, size_t item_size, mpc_result* result) {
  static word_table table;
  static packed_words packed;
  file_tally tally = {0};
  word_table_clear(&table);
  packed.size = 0;
  if (count_share(item, item_size, &table, &tally) != 0) return 1;
  if (word_table_pack(&table, &packed) != 0) return 1;
  if (mpc_result_put(result, &tally, sizeof(tally)) < 0) return 1;
  return mpc_result_put(result, packed.data, packed.size) < 0;
}

typedef struct map_progress {
  const share_list* shares;
  uint64_t all_cost;
  uint64_t done_cost;
  size_t done;
  pool_progress_fn report;
  void* user_data;
} map_progress;

// Shares are handed out in order, so that those which are done are, but for a few, the first ones.
static void on_progress(size_t done, size_t count, void* user_data) {
  map_progress* progress = user_data;
  for (; progress->done < done && progress->done < count; progress->done++) {
    progress->done_cost += progress->shares->shares[progress->done].cost;
  }
  progress->report((double)progress->done_cost / (double)progress->all_cost, progress->user_data);
}

mpc_status count_with_pool(mpc_pool* pool, const share_list* shares, pool_progress_fn report,
                           void* user_data, word_table* table, file_tally* tally) {
  mpc_status status = MPC_ENOMEM;
  map_progress progress = {shares, 1, 0, 0, report, user_data};
  mpc_bytes* items = calloc(shares->count + 1, sizeof(*items));
  mpc_buffer* results = calloc(shares->count + 1, sizeof(*results));
  if (items != NULL && results != NULL) {
    for (size_t i = 0; i < shares->count; i++) {
      items[i] = (mpc_bytes){shares->shares[i].data, shares->shares[i].size};
      progress.all_cost += shares->shares[i].cost;
    }
    mpc_map_options options = MPC_MAP_OPTIONS_INIT;
    options.chunk_size = 1;
    options.progress = report != NULL ? on_progress : NULL;
    options.user_data = &progress;
    status = mpc_pool_map_bytes(pool, count_item, items, shares->count, results, &options);
    for (size_t i = 0; i < shares->count; i++) {
      const char* result = results[i].data;
      if (status >= 0) {
        file_tally part;
        memcpy(&part, result, sizeof(part));
        file_tally_add(tally, &part);
        const size_t words_size = results[i].size - sizeof(part);
        if (word_table_merge(table, result + sizeof(part), words_size) != 0) status = MPC_ENOMEM;
      }
      mpc_buffer_free(&results[i]);
    }
  }
  free(results);
  free(items);
  return status;
}
