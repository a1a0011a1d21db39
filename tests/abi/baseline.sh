# SPDX-License-Identifier: Apache-2.0
# baseline.sh check|write CC PYTHON MAP INCLUDE-FOLDER...: compares the ABI that the headers declare
# with the baseline beside this file, or writes that anew.
#
# The ABI is read from a library made of the declarations alone. The real one must agree with them,
# as each of its files includes its header, and so the baseline holds the C API and nothing of what
# lies behind it, and is the same for every compiler.
set -eu

action=$1 cc=$2 python=$3 map=$4
shift 4
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
baseline=$here/libmpc.abi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$scratch"
mkdir include
for folder in "$@"; do
  cp -R "$folder/mpc" include/
done
"$python" -B "$here/declarations.py" include/mpc >declarations.c
"$cc" -std=c99 -g -w -fPIC -shared -Iinclude -Wl,--version-script="$map" \
  -Wl,-soname,libmpc.so.0 -o libmpc.so.0 declarations.c

case $action in
  write)
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$baseline" libmpc.so.0
    ;;
  check)
    # A change that harms no program is shown as well: it belongs into the baseline, too.
    abidiff --harmless --no-show-locs "$baseline" libmpc.so.0
    ;;
esac
