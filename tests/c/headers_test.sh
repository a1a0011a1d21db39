# SPDX-License-Identifier: Apache-2.0
# headers_test.sh CC CXX SCRATCH-FOLDER INCLUDE-FOLDER...: each public header compiles alone, and
# when it is included twice, in each of the languages that it promises.
set -eu

cc=$1 cxx=$2
scratch=$(mktemp -d "$3/headers.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
shift 3

count=0
failed=0
try() {
  count=$((count + 1))
  "$@" -Wall -Wextra -pedantic -Werror -fsyntax-only || {
    echo "failed: $header with $2" >&2
    failed=$((failed + 1))
  }
}

# The folders stay the arguments, each with -I before it.
folders=$#
for folder in "$@"; do
  set -- "$@" "-I$folder"
done
all=
for path in $(
  i=0
  for folder in "$@"; do
    i=$((i + 1))
    [ "$i" -gt "$folders" ] || (cd "$folder" && echo mpc/*.h)
  done
); do
  all="$all $path"
done
shift "$folders"

for header in $all; do
  printf '#include <%s>\n#include <%s>\ntypedef int not_empty;\n' "$header" "$header" \
    >"$scratch/twice.c"
  cp "$scratch/twice.c" "$scratch/twice.cpp"
  try "$cc" -std=c99 "$@" "$scratch/twice.c"
  try "$cc" -std=c11 "$@" "$scratch/twice.c"
  try "$cxx" -std=c++11 "$@" "$scratch/twice.cpp"
  # As a file of its own: a header that relies on what another file included before it fails.
  printf '#include <%s>\ntypedef int not_empty;\n' "$header" >"$scratch/alone.c"
  try "$cc" -std=c99 "$@" "$scratch/alone.c"
done
echo "$count compilations, $failed failed"
[ "$failed" = 0 ] && [ "$count" -ge 30 ]
