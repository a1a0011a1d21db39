// SPDX-License-Identifier: Apache-2.0
#include "wordcount_table.h"

#include <stdlib.h>
#include <string.h>

enum { kKeyLetters = 8, kFirstCapacity = 1 << 12 };

static int is_letter(unsigned char byte) { return (unsigned char)(byte - 'a') < 26; }

static uint64_t mixed(uint64_t value) {
  value *= UINT64_C(0x9E3779B97F4A7C15);
  value ^= value >> 32;
  return value * UINT64_C(0xD6E8FEB86659FD93);
}

static uint64_t hash_of(uint64_t key, const char* rest, size_t rest_length) {
  uint64_t hash = key;
  for (size_t i = 0; i < rest_length; i++) {
    hash = (hash ^ (unsigned char)rest[i]) * UINT64_C(0x100000001B3);
  }
  return mixed(hash);
}

static size_t rest_length_of(size_t length) {
  return length > kKeyLetters ? length - kKeyLetters : 0;
}

// The upper bits of the hash choose the place. So entries lie in the order of their hashes, and
// tables that are merged are walked side by side instead of at random, which would cost a cache
// miss a word.
static size_t place_of(uint64_t hash, size_t capacity) {
  return (size_t)(((hash >> 32) * (uint64_t)capacity) >> 32);
}

static word_entry* find(const word_table* table, uint64_t hash, uint64_t key, const char* letters,
                        size_t length) {
  const size_t rest_length = rest_length_of(length);
  size_t place = place_of(hash, table->capacity);
  for (;; place = (place + 1) & (table->capacity - 1)) {
    word_entry* entry = &table->entries[place];
    if (entry->count == 0) return entry;
    if (entry->key != key || entry->length != length) continue;
    if (rest_length == 0 || memcmp(table->rests + entry->rest, letters, rest_length) == 0) {
      return entry;
    }
  }
}

static int resize(word_table* table, size_t capacity) {
  word_entry* entries = calloc(capacity, sizeof(*entries));
  if (entries == NULL) return -1;
  for (size_t i = 0; i < table->capacity; i++) {
    const word_entry* entry = &table->entries[i];
    if (entry->count == 0) continue;
    const char* rest = entry->length > kKeyLetters ? table->rests + entry->rest : NULL;
    size_t place = place_of(hash_of(entry->key, rest, rest_length_of(entry->length)), capacity);
    while (entries[place].count != 0) place = (place + 1) & (capacity - 1);
    entries[place] = *entry;
  }
  free(table->entries);
  table->entries = entries;
  table->capacity = capacity;
  return 0;
}

// Words that arrive in the order of their hashes would crowd the low end of a table that grows
// under way, so room for all of them is made first.
static int reserve(word_table* table, size_t words) {
  size_t capacity = table->capacity > 0 ? table->capacity : kFirstCapacity;
  while (capacity / 2 < words) capacity *= 2;
  return capacity == table->capacity ? 0 : resize(table, capacity);
}

static int keep_rest(word_table* table, const char* rest, size_t length, uint32_t* out_place) {
  if (table->rests_capacity - table->rests_size < length) {
    const size_t capacity = 2 * (table->rests_capacity + kFirstCapacity);
    char* rests = capacity > UINT32_MAX ? NULL : realloc(table->rests, capacity);
    if (rests == NULL) return -1;
    table->rests = rests;
    table->rests_capacity = capacity;
  }
  *out_place = (uint32_t)table->rests_size;
  memcpy(table->rests + table->rests_size, rest, length);
  table->rests_size += length;
  return 0;
}

static int add(word_table* table, uint64_t key, const char* letters, size_t length,
               uint64_t count) {
  const size_t rest_length = rest_length_of(length);
  const uint64_t hash = hash_of(key, letters, rest_length);
  word_entry* entry = find(table, hash, key, letters, length);
  table->words += count;
  if (entry->count != 0) {
    entry->count += count;
    return 0;
  }
  uint32_t rest = 0;
  if (rest_length > 0 && keep_rest(table, letters, rest_length, &rest) != 0) return -1;
  *entry = (word_entry){key, count, (uint32_t)length, rest};
  table->distinct++;
  return table->distinct > table->capacity / 2 ? resize(table, 2 * table->capacity) : 0;
}

static uint64_t key_of(const char* letters, size_t length) {
  uint64_t key = 0;
  for (size_t i = rest_length_of(length); i < length; i++) {
    key = key << 8 | (unsigned char)letters[i];
  }
  return key;
}

static void spell(const word_table* table, const word_entry* entry, char* out) {
  const size_t rest_length = rest_length_of(entry->length);
  if (rest_length > 0) memcpy(out, table->rests + entry->rest, rest_length);
  uint64_t key = entry->key;
  for (size_t i = entry->length; i > rest_length; i--, key >>= 8) out[i - 1] = (char)(key & 0xFF);
}

void word_table_clear(word_table* table) {
  if (table->entries != NULL) memset(table->entries, 0, table->capacity * sizeof(word_entry));
  table->distinct = 0;
  table->words = 0;
  table->rests_size = 0;
}

void word_table_free(word_table* table) {
  free(table->entries);
  free(table->rests);
  *table = (word_table){0};
}

int word_table_scan(word_table* table, char* text, size_t size, size_t begin_limit, int more,
                    size_t* out_rest) {
  *out_rest = size;
  if (reserve(table, table->distinct) != 0) return -1;
  // Setting this bit maps upper case to lower case and turns no other byte into a letter.
  for (size_t i = 0; i < size; i++) text[i] |= 0x20;
  text[size] = 0;
  const unsigned char* at = (const unsigned char*)text;
  const unsigned char* const end = at + size;
  const unsigned char* const limit = at + begin_limit;
  for (;;) {
    while (at < limit && !is_letter(*at)) at++;
    if (at >= limit) return 0;
    const unsigned char* const begin = at;
    uint64_t key = 0;
    do {
      key = key << 8 | *at++;
    } while (is_letter(*at));
    if (at == end && more) {
      *out_rest = (size_t)(begin - (const unsigned char*)text);
      return 0;
    }
    const size_t length = (size_t)(at - begin);
    if (length <= kLongestWord && add(table, key, (const char*)begin, length, 1) != 0) return -1;
  }
}

// Packed: the number of words in eight bytes, then for each its length in one byte, its count in
// groups of seven bits, the lowest first, and its letters.
int word_table_pack(const word_table* table, packed_words* out) {
  enum { kMostCountBytes = 10 };
  const size_t most = out->size + sizeof(uint64_t) + table->rests_size +
                      table->distinct * (1 + kMostCountBytes + kKeyLetters) + kLongestWord;
  if (out->capacity < most) {
    char* data = realloc(out->data, most);
    if (data == NULL) return -1;
    out->data = data;
    out->capacity = most;
  }
  char* at = out->data + out->size;
  const uint64_t distinct = table->distinct;
  memcpy(at, &distinct, sizeof(distinct));
  at += sizeof(distinct);
  for (size_t i = 0; i < table->capacity; i++) {
    const word_entry* entry = &table->entries[i];
    if (entry->count == 0) continue;
    *at++ = (char)entry->length;
    uint64_t count = entry->count;
    for (; count >= 0x80; count >>= 7) *at++ = (char)(count | 0x80);
    *at++ = (char)count;
    spell(table, entry, at);
    at += entry->length;
  }
  out->size = (size_t)(at - out->data);
  return 0;
}

int word_table_merge(word_table* table, const char* data, size_t size) {
  uint64_t distinct;
  if (size < sizeof(distinct)) return -1;
  memcpy(&distinct, data, sizeof(distinct));
  if (distinct > size || reserve(table, table->distinct + (size_t)distinct) != 0) return -1;
  const char* at = data + sizeof(distinct);
  const char* const end = data + size;
  for (; distinct > 0; distinct--) {
    if (at == end) return -1;
    const size_t length = (unsigned char)*at++;
    uint64_t count = 0;
    unsigned char group = 0x80;
    for (unsigned shift = 0; group >= 0x80; shift += 7) {
      if (at == end || shift > 63) return -1;
      group = (unsigned char)*at++;
      count |= (uint64_t)(group & 0x7F) << shift;
    }
    if (length == 0 || count == 0 || (size_t)(end - at) < length) return -1;
    if (add(table, key_of(at, length), at, length, count) != 0) return -1;
    at += length;
  }
  return at == end ? 0 : -1;
}

int word_table_equal(const word_table* one, const word_table* other) {
  if (one->distinct != other->distinct || one->words != other->words) return 0;
  for (size_t i = 0; i < one->capacity; i++) {
    const word_entry* entry = &one->entries[i];
    if (entry->count == 0) continue;
    char letters[kLongestWord];
    spell(one, entry, letters);
    const uint64_t hash = hash_of(entry->key, letters, rest_length_of(entry->length));
    if (find(other, hash, entry->key, letters, entry->length)->count != entry->count) return 0;
  }
  return 1;
}

size_t word_table_top(const word_table* table, counted_word* out, size_t limit) {
  size_t kept = 0;
  for (size_t i = 0; i < table->capacity; i++) {
    const word_entry* entry = &table->entries[i];
    if (entry->count == 0 || (kept == limit && entry->count < out[kept - 1].count)) continue;
    counted_word next = {{0}, entry->count};
    spell(table, entry, next.word);
    size_t place = kept;
    while (place > 0 &&
           (next.count > out[place - 1].count ||
            (next.count == out[place - 1].count && strcmp(next.word, out[place - 1].word) < 0))) {
      place--;
    }
    if (place == limit) continue;
    if (kept < limit) kept++;
    memmove(&out[place + 1], &out[place], (kept - 1 - place) * sizeof(*out));
    out[place] = next;
  }
  return kept;
}
