#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: wordcount_test.sh WORDCOUNT
# The twenty words that the word count prints for a made-up folder are those of tr, sort and uniq.
set -eu
LC_ALL=C
export LC_ALL

wordcount=$1
folder=$(mktemp -d)
trap 'chmod -R u+rwX "$folder"; rm -rf "$folder"' EXIT
files=$folder/files
outside=$folder/outside
mkdir -p "$files/below/far below" "$outside"

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# The numbers of a small generator, so that every run has the same text.
make_text() { # WORDS SEED
  awk -v words="$1" -v seed="$2" 'BEGIN {
    split("the of and to in is it you that he was for on are with as his they be at one have " \
          "this from or had by hot word but what some we can out other were all there when", list)
    split(" |  |\n|, |. |-|42|_|\t|(", gap, "|")
    for (i = 0; i < words; i++) {
      seed = (seed * 16807) % 2147483647
      word = list[1 + int(seed / 7) % (1 + seed % 42)]
      if (seed % 5 == 0) word = toupper(word)
      if (seed % 11 == 0) word = word "supercalifragilistic" list[1 + seed % 42]
      printf "%s%s", word, gap[1 + int(seed / 3) % 10]
    }
  }'
}

for i in 1 2 3 4 5 6 7 8 9 10 11 12; do make_text 4000 "$i" >"$files/below/text $i"; done
make_text 500 99 >"$files/below/far below/name
of two lines"
: >"$files/empty"
printf 'alpha' >"$files/one word, no line end"
printf 'na\303\257ve caf\303\251 \377\376 A\301b @[`{ Az zA' >"$files/bytes above 127"
# 255 letters are a word, 256 are none, and neither are many more.
for n in 255 256 700000; do
  awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) printf "q"; printf " end " }'
done >"$files/long runs"
# Eight bytes at a time, so that at the borders of 256 KiB and of 4 MiB a word begins, lies across,
# or ends; a run that is no word reaches over one of them.
awk 'BEGIN {
  window = 32768
  for (i = 0; i < 40 * window; i++) {
    border = int((i + 1) / window)
    if (i == 5 * window - 60) {
      for (k = 0; k < 1000; k++) printf "z"
      i += 124
    }
    else if (i % window == window - 1 && border % 3 == 1) printf " crossin"
    else if (i % window == 0 && border % 3 == 1) printf "gborder "
    else if (i % window == window - 1 && border % 3 == 2) printf " endhere"
    else if (i % window == 0 && border % 3 == 2) printf " follow "
    else if (i % window == 0) printf "beginsX "
    else printf "%cfiller ", (i % 3 == 0) ? 10 : 32
  }
}' >"$files/huge"
[ "$(wc -c <"$files/huge")" -eq 10485760 ] || fail "the borders in the huge file are elsewhere"
# A NUL byte behind the first block separates words; one inside it makes the file binary.
{ make_text 2000 7; printf 'before\000after\n'; } >"$files/late nul"
{ printf 'binary\000binary '; make_text 3000 8; } >"$files/binary"
make_text 3000 9 >"$outside/not counted"
ln -s "$outside/not counted" "$files/link to a file"
ln -s "$outside" "$files/link to a folder"
ln -s "$files" "$files/below/loop"
ln "$files/below/text 1" "$files/below/text 1 by another name"
mkfifo "$files/pipe"

expected() {
  find "$files" -type f ! -name binary ! -name 'text 1 by another name' -exec sh -c \
    'for file; do cat "$file" && echo; done' sh {} + |
    tr -cs 'A-Za-z' '\n' | tr 'A-Z' 'a-z' | awk 'length > 0 && length <= 255' |
    sort | uniq -c | sort -k1,1nr -k2 | head -n 20 | awk '{ print $1, $2 }'
}

words_of() {
  awk 'NF == 2 && $1 ~ /^[0-9]+$/ && $2 ~ /^[a-z]+$/ { print $1, $2 }'
}

expected >"$folder/expected"
[ "$(wc -l <"$folder/expected")" -eq 20 ] || fail "the made-up folder has fewer than twenty words"

check() { # DESCRIPTION ARGUMENT...
  description=$1
  shift
  "$wordcount" "$@" </dev/null >"$folder/output" 2>"$folder/errors" ||
    fail "$description: exit code $?: $(cat "$folder/errors")"
  [ ! -s "$folder/errors" ] || fail "$description: $(cat "$folder/errors")"
  words_of <"$folder/output" >"$folder/actual"
  diff -u "$folder/expected" "$folder/actual" || fail "$description: other words"
  echo "passed: $description"
}

for workers in 1 2 3 7; do
  check "the twenty with $workers workers" --once --workers "$workers" "$files"
done
grep -q '^20 files, .*: 19 of text .*, 1 binary, 0 unreadable$' "$folder/output" ||
  fail "the files are not told apart: $(head -n 1 "$folder/output")"
grep -q '^1 of more than 8 MiB' "$folder/output" || fail "the huge file is not named"
check "a folder named twice and reached by a link is counted once" \
  --once "$files" "$files/below" "$files/below/loop"
check "the twenty when pool and one process are compared" "$files"
grep -q '^speed-up: [0-9.]* ' "$folder/output" || fail "no speed-up is printed"

# Nothing but the number of words shows what lies behind the twenty.
words=$(find "$files" -type f ! -name binary ! -name 'text 1 by another name' -exec sh -c \
  'for file; do cat "$file" && echo; done' sh {} + | tr -cs 'A-Za-z' '\n' | tr 'A-Z' 'a-z' |
  awk 'length > 0 && length <= 255 { n++; if (!seen[$0]++) different++ }
       END { print n " words, " different " different" }')
grep -q "^$words;" "$folder/output" || fail "not $words: $(sed -n 3p "$folder/output")"
echo "passed: the number of words and of different words"

if "$wordcount" --once "$folder/missing" >"$folder/output" 2>"$folder/errors"; then
  fail "a folder that is missing is no failure"
fi
grep -q missing "$folder/errors" || fail "the missing folder is not named"
echo "passed: a missing folder is a failure that names it"

chmod 000 "$files/below/text 2"
if cat "$files/below/text 2" >/dev/null 2>&1; then
  echo "skipped: unreadable files, because this user can read every file"
  exit 0
fi
mv "$files/below/text 2" "$folder/text 2"
expected >"$folder/expected"
mv "$folder/text 2" "$files/below/text 2"
check "the twenty without an unreadable file" --once "$files"
grep -q ' 18 of text .*, 1 binary, 1 unreadable$' "$folder/output" ||
  fail "the unreadable file is not counted as such"
