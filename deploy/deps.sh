#!/bin/sh
# Install the Debian packages that are missing. usage: deps.sh build|run|test|check …
# Says what it installs; without root it prints the line to run and fails.
set -eu
build='gcc libc6-dev pkg-config libzmq3-dev libczmq-dev libprotobuf-c-dev protobuf-c-compiler
  libopenblas-dev libpcre2-dev libjansson-dev libxxhash-dev libedit-dev'
run='python3 python3-pip'
test='libcmocka-dev python3-pytest python3-zmq python3-protobuf protobuf-compiler python3-pexpect python3-pyte zsh
  ruby ruby-ffi-rzmq ruby-google-protobuf dnsmasq-base iproute2'
check='clang libclang-rt-14-dev valgrind'

wanted=
for group in "$@"; do
    case $group in
        build) wanted="$wanted $build" ;;
        run) wanted="$wanted $run" ;;
        test) wanted="$wanted $test" ;;
        check) wanted="$wanted $check" ;;
        *) echo "deps.sh: no group of packages is called $group (build, run, test, check)" >&2; exit 2 ;;
    esac
done

missing=
for package in $wanted; do
    dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing; please run:  sudo apt-get update && sudo $install" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
$install -qq >/dev/null
