// SPDX-License-Identifier: Apache-2.0
// How often each word of a text occurs. A word is a run of 1 to 255 ASCII letters, lower-cased;
// every other byte separates words, and longer runs are no words.
#ifndef WORDCOUNT_TABLE_H
#define WORDCOUNT_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { kLongestWord = 255 };

typedef struct word_entry {
  uint64_t key;    // the last eight letters, or all where there are fewer
  uint64_t count;  // 0: the entry is free
  uint32_t length;
  uint32_t rest;  // where the letters before the last eight are
} word_entry;

// All zero is an empty table. A function that returns int returns 0, or -1 where memory is used up.
typedef struct word_table {
  word_entry* entries;
  size_t capacity;  // a power of two
  size_t distinct;
  uint64_t words;
  char* rests;
  size_t rests_size;
  size_t rests_capacity;
} word_table;

typedef struct packed_words {
  char* data;
  size_t size;
  size_t capacity;
} packed_words;

typedef struct counted_word {
  char word[kLongestWord + 1];
  uint64_t count;
} counted_word;

// Empties a table and keeps its memory for the next text.
void word_table_clear(word_table* table);
void word_table_free(word_table* table);

// Counts the words of text[0, size) that begin before `begin_limit`; changes the text to lower case
// and writes one byte behind it. Where a word reaches the end of the text and more may follow
// (`more`), that word is not counted: *out_rest is where it begins. Else *out_rest is `size`.
int word_table_scan(word_table* table, char* text, size_t size, size_t begin_limit, int more,
                    size_t* out_rest);

// Appends the table's words and counts to `out`.
int word_table_pack(const word_table* table, packed_words* out);

// Adds words and counts as word_table_pack() wrote them. Returns -1 also where they make no sense.
int word_table_merge(word_table* table, const char* data, size_t size);

int word_table_equal(const word_table* one, const word_table* other);

// Fills `out` with the most frequent words, those of one count in alphabetical order, and returns
// their number: `limit`, or less where there are fewer words.
size_t word_table_top(const word_table* table, counted_word* out, size_t limit);

#endif
