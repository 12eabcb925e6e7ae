#!/usr/bin/env bash
# The mesh on one Linux machine, shown in eleven steps: installs what the system lacks, builds, and runs "meshctl demo".
# Arguments are passed on: --keep leaves the mesh up afterwards. Exit code 0 only if every step holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf 'demo: %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$1" >&2; exit "$2"; }

command -v dotnet >/dev/null || fail "dotnet is not on PATH: install the .NET 10 SDK (https://dot.net)" 69

packages=()
command -v nft >/dev/null || command -v iptables >/dev/null || packages+=(nftables)
command -v ip >/dev/null || packages+=(iproute2)
command -v curl >/dev/null || packages+=(curl)
command -v nginx >/dev/null || packages+=(nginx-light)
command -v unshare >/dev/null && command -v nsenter >/dev/null && command -v setsid >/dev/null || packages+=(util-linux)
command -v mount >/dev/null || packages+=(mount)

if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "these are missing and there is no apt-get here: install ${packages[*]} (or their like) and run this again" 69
    [ "$(id -u)" = 0 ] || fail "these packages are missing: run 'sudo apt-get install ${packages[*]}', then this again" 77
    say "installing ${packages[*]}"
    # nginx is only wanted as a program: the package must not start a server on this machine.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends "${packages[@]}"; } >/dev/null || fail "apt-get could not install ${packages[*]}: install them by hand and run this again" 69
    rm -f "$policy"
    trap - EXIT
fi

say "building (Release)"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
# Two demos at once in one clone must not build into each other's output.
exec 9<Mesh.sln
command -v flock >/dev/null && flock 9
for app in ztunnel istiod-lite waypoint meshctl; do
    dotnet build "$app" -c Release -v q -nologo -clp:NoSummary -p:RunAnalyzers=false || fail "the build of $app failed" 70
done
exec 9<&-

exec meshctl/bin/Release/net10.0/meshctl demo "$@"
