# SPDX-License-Identifier: Apache-2.0
# sh cmake/test.sh [OPTION-OF-CTEST...]: installs what is missing, builds the library and runs every
# test; `-R Pool` runs those with that word in their name, `-L unit` those with that label.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/packages.sh"
# Nothing asks a question; a closed standard input would give its number to another file.
exec </dev/null

install_missing "$needed_to_build$needed_to_test"
configure_release "$root" "$root/build" -DMPC_BUILD_TESTS=ON -DMPC_BUILD_BENCHMARKS=ON
cmake --build "$root/build"
exec ctest --test-dir "$root/build" --output-on-failure -j "$(nproc)" "$@"
