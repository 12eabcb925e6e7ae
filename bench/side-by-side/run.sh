#!/usr/bin/env bash
# Measures the mesh beside other proxies on this machine and prints goal, value, spread and met / not met. No arguments needed; exit code 0 whatever the figures.
#   --quick            one short round, for development: the figures are only a hint
#   --only WORD        only the rows whose name contains WORD (may be repeated); --list shows the names
#   --brief            only what the rows of the table need: 8 minutes instead of 30
#   --rounds N, --seconds N
#   --idle             instead: how the agents' memory grows with idle connections (--connections N)
#   --peer FILE        one more peer (see bench/side-by-side/peers); --ztunnel PATH: another ztunnel of the same settings, e.g. the Rust one
# Needs root (network namespaces) and the Debian packages below, which it installs when they are missing. docs/performance.md says what is measured.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

[ "$(id -u)" = 0 ] || { echo "bench/side-by-side/run.sh: network namespaces need root; run it with sudo" >&2; exit 77; }
command -v dotnet >/dev/null || { echo "bench/side-by-side/run.sh: dotnet is not on PATH; install the .NET 10 SDK" >&2; exit 69; }

packages=(haproxy nginx-light wrk iperf3 nghttp2-client nghttp2-server iproute2 nftables)
missing=()
for p in "${packages[@]}"; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/dev/null || { echo "could not install ${missing[*]}" >&2; exit 69; }
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
if [ "${BENCH_NO_BUILD:-}" != 1 ]; then
    for project in ztunnel/Ztunnel.csproj istiod-lite/IstiodLite.csproj waypoint/Waypoint.csproj bench/Mesh.SideBySide/Mesh.SideBySide.csproj; do
        dotnet build "$root/$project" -c Release -v q -nologo -clp:NoSummary || exit 1
    done
    "$root/deploy/publish.sh" >/dev/null || echo "ztunnel and waypoint could not be published as native code; the builds under the JIT are measured" >&2
fi

ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
verb=${BENCH_VERB:-run}
if [ "${1:-}" = --idle ]; then verb=idle; shift; fi
exec "$root/bench/Mesh.SideBySide/bin/Release/net10.0/side-by-side" "$verb" --root "$root" "$@"
