# SPDX-License-Identifier: Apache-2.0
# sh cmake/demo.sh [FOLDER...]: installs what is missing, builds the library and counts the words
# of every file below the folders; without one, of the system's documentation.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/packages.sh"
# Nothing asks a question; a closed standard input would give its number to another file.
exec </dev/null

install_missing "$needed_to_build"
# A folder that was configured for the tests as well stays so: nothing is compiled twice.
if [ ! -f "$root/build/build.ninja" ]; then
  configure_release "$root" "$root/build" -DMPC_BUILD_TESTS=OFF -DMPC_BUILD_BENCHMARKS=OFF >&2
fi
cmake --build "$root/build" --target example_wordcount >&2
exec "$root/build/examples/wordcount" "$@"
