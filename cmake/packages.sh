# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it: finds out which packages are missing, and installs them where
# that can be done without asking.
#
# Each line of a list is `package probe`. The probe tells whether the thing is there where it did
# not come from the package: `command:NAME`, or `header:NAME` for the C++ compiler.

needed_to_build='
g++ command:c++
cmake command:cmake
ninja-build command:ninja
pkg-config command:pkg-config
libuv1-dev header:uv.h
libspdlog-dev header:spdlog/spdlog.h
libfmt-dev header:fmt/format.h
libgtest-dev header:gtest/gtest.h
libbenchmark-dev header:benchmark/benchmark.h
'

needed_to_test='
binutils command:readelf
python3 command:python3
nodejs command:node
libnode-dev header:node/node_api.h
libboost-dev header:boost/version.hpp
libtbb-dev header:tbb/version.h
abigail-tools command:abidiff
procps command:ps
'

is_there() {
  case $1 in
    command:*) command -v "${1#command:}" >/dev/null 2>&1 ;;
    header:*)
      command -v c++ >/dev/null 2>&1 &&
        echo "#include <${1#header:}>" | c++ -E -x c++ - >/dev/null 2>&1
      ;;
  esac
}

# missing_packages LIST: prints the packages of the list that are not there.
missing_packages() {
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
    sed -n 's/^installed //p')
  printf '%s\n' "$1" | while read -r package probe; do
    [ -n "$package" ] || continue
    case "
$installed
" in
      *"
$package
"*) continue ;;
    esac
    [ -n "$probe" ] && is_there "$probe" && continue
    echo "$package"
  done
}

is_debian_12() {
  (
    ID= VERSION_ID=
    [ -r /etc/os-release ] && . /etc/os-release
    [ "$ID" = debian ] && [ "$VERSION_ID" = 12 ]
  )
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

# install_missing LIST: returns other than 0, and says what is missing, where it cannot help.
install_missing() {
  missing=$(missing_packages "$1" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if is_debian_12 && can_be_root; then
    echo "Installing: $missing"
    # Without fresh lists the packages may still be known from earlier.
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -q -o DPkg::Lock::Timeout=300 update || true
    # Unquoted: one word a package.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 install $missing
    missing=$(missing_packages "$1" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
  fi
  echo "Missing (by the names of Debian 12's packages): $missing" >&2
  if is_debian_12; then
    echo "As root: apt-get install $missing" >&2
  else
    echo "This script installs on Debian 12 only; install them in this system's own way." >&2
  fi
  return 1
}

# configure_release SOURCE FOLDER OPTION...: the build folder of both commands.
configure_release() {
  source=$1 folder=$2
  shift 2
  cmake -S "$source" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DMPC_BUILD_EXAMPLES=ON "$@"
}
