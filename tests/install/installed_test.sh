# SPDX-License-Identifier: Apache-2.0
# installed_test.sh installed|embedded SOURCE BUILD SCRATCH-FOLDER: programs of others find the
# library where it was installed, by CMake and by pkg-config, in C and in C++. CC and CXX name the
# compilers. Every path has a space in it.
set -eu
exec </dev/null

kind=$1 source=$2 build=$3
scratch=$(mktemp -d "$4/$kind here.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
program=$here/foreign/squares.c
prefix=$scratch/prefix

fail() {
  echo "$*" >&2
  exit 1
}

quietly() {
  "$@" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    fail "failed: $*"
  }
}

expect_squares() {
  squares=$("$@") || fail "failed: $*"
  [ "$squares" = "4 9 16" ] || fail "wrong output of $*: $squares"
}

# build_foreign NAME OPTION...
build_foreign() {
  foreign=$scratch/foreign-$1
  shift
  quietly cmake -S "$here/foreign" -B "$foreign" "$@"
  quietly cmake --build "$foreign" --parallel
  expect_squares "$foreign/foreign"
}

expect_file() {
  [ -f "$1" ] || fail "not installed: $1"
}

case $kind in
  installed)
    name=mpc
    quietly cmake --install "$build" --prefix "$scratch/runtime" --component runtime
    files=$(cd "$scratch/runtime" && find . ! -type d | sed 's|.*/||' | sort | tr '\n' ' ')
    case $files in
      "libmpc.so.0 libmpc.so.0."*" ") ;;
      *) fail "the runtime component is: $files" ;;
    esac
    quietly cmake --install "$build" --prefix "$prefix"
    libdir=$(dirname -- "$(find "$prefix" -name libmpc.so)")
    ;;
  embedded)
    name=mpc-parallel
    libdir=$scratch/elsewhere/lib
    build_foreign host -DFOREIGN_LANGUAGE=CXX -DFOREIGN_EMBEDS="$source" -DMPC_OUTPUT_NAME="$name" \
      -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR="$libdir"
    quietly cmake --install "$scratch/foreign-host"
    ;;
esac

expect_file "$libdir/lib$name.so.0"
expect_file "$prefix/include/mpc/mpc.h"
expect_file "$prefix/include/mpc/version.h"
[ ! -e "$prefix/include/mpc/version.h.in" ] || fail "a template was installed"

build_foreign c -DFOREIGN_LANGUAGE=C -Dmpc_DIR="$libdir/cmake/mpc"
build_foreign cxx -DFOREIGN_LANGUAGE=CXX -Dmpc_DIR="$libdir/cmake/mpc"

export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
# What pkg-config prints is quoted for a shell.
eval "told=$(pkg-config --variable=libdir mpc)"
[ "$(realpath "$told")" = "$(realpath "$libdir")" ] || fail "mpc.pc names $told, not $libdir"
flags=$(pkg-config --cflags --libs mpc)
eval "quietly \"\${CC:-cc}\" -o \"\$scratch/with_cc\" \"\$program\" $flags"
expect_squares "$scratch/with_cc"
eval "quietly \"\${CXX:-c++}\" -o \"\$scratch/with_cxx\" -x c++ \"\$program\" $flags"
expect_squares "$scratch/with_cxx"
echo "version $(pkg-config --modversion mpc), $kind: C and C++, by find_package and by pkg-config"
