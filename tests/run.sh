#!/usr/bin/env bash
# Runs every test of the mesh: units, properties, recorded behaviour, processes in network namespaces. No arguments needed.
#   --install   also installs the Debian packages that the process tests use (needs root; tests that lack a tool say "skipped" and why), and those named in MESH_TESTS_PACKAGES
#   --filter X  passes X to `dotnet test --filter`
#   --no-build  uses what is already built
# Ends with "N passed, N failed[, N skipped]"; exit code 0 only if none failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 70

packages=(nftables iptables iproute2 curl nginx-light tcpdump openssl nghttp2-client nghttp2-server util-linux python3 apache2-utils
    python3-h2 python3-hpack python3-hyperframe python3-cryptography python3-grpcio python3-protobuf python3-yaml protobuf-compiler libprotobuf-dev wrk nodejs skopeo umoci)
install=false build=true filter=()
while [ $# -gt 0 ]; do
    case "$1" in
        --install) install=true ;;
        --no-build) build=false ;;
        --filter) filter=(--filter "$2"); shift ;;
        *) echo "tests/run.sh: unknown argument '$1' (known: --install, --filter X, --no-build)" >&2; exit 64 ;;
    esac
    shift
done

command -v dotnet >/dev/null || { echo "tests/run.sh: dotnet is not on PATH; install the .NET 10 SDK" >&2; exit 69; }

install_missing() {
    local missing=() p
    for p; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null || echo "some packages could not be installed; the tests that need them will say skipped" >&2
}
if $install || { [ "$(id -u)" = 0 ] && [ "${MESH_TESTS_INSTALL:-ask}" = always ]; }; then
    install_missing "${packages[@]}"
    # By themselves: where they cannot be had, the others can.
    read -ra more <<<"${MESH_TESTS_PACKAGES:-}" && install_missing "${more[@]}"
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
results=$(mktemp -d) && trap 'rm -rf "$results"; dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1' EXIT

if $build; then
    echo "building (Release)"
    dotnet build Mesh.sln -c Release -v q -nologo -clp:NoSummary || { echo "the build failed; nothing was tested" >&2; echo "0 passed, 1 failed"; exit 1; }
fi

# Two lanes. The process tests, whose peers have deadlines, have the machine; the others take what those leave, one project after the other.
# A session of its own, because the scheduler weighs sessions before it looks at niceness (sched_autogroup).
test_project() {
    local name out status=0
    name=$(basename "$1" .csproj) && shift
    out=$results/$name.out
    dotnet test "tests/$name/$name.csproj" -c Release --no-build --nologo -v q --blame-hang-timeout 5m --blame-hang-dump-type none \
        --results-directory "$results" --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=minimal" "$@" >"$out" 2>&1 || status=1
    { echo "== $name"; cat "$out"; } | flock "$results" cat
    return $status
}
rest() {
    local status=0 project
    { echo 19 >/proc/self/autogroup; renice -n 19 -p $$; } >/dev/null 2>&1
    for project in tests/*.Tests/*.csproj tests/Mesh.Fuzz/*.csproj; do
        [ "$(basename "$project")" = Mesh.EndToEnd.Tests.csproj ] || test_project "$project" "$@" || status=1
    done
    return $status
}
export results && export -f test_project rest
status=0
setsid bash -c 'rest "$@"' rest "${filter[@]}" & lane=$!
trap 'kill -- -$lane 2>/dev/null; exit 130' INT TERM
test_project tests/Mesh.EndToEnd.Tests/Mesh.EndToEnd.Tests.csproj "${filter[@]}" || status=1
wait $lane || status=1

# One number for everything, from the result files: a test host that crashed counts as a failure.
count() { local total=0 n; while read -r n; do total=$((total + n)); done < <(grep -ho "<Counters [^>]*" "$results"/*.trx 2>/dev/null | grep -o " $1=\"[0-9]*\"" | tr -dc '0-9\n'); echo "$total"; }
passed=$(count passed) failed=$(count failed) total=$(count total) executed=$(count executed)
skipped=$((total - executed))
[ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
if [ "$skipped" -gt 0 ]; then
    echo "skipped:"
    grep -ho '<UnitTestResult [^>]*outcome="NotExecuted"[^>]*' "$results"/*.trx | grep -o 'testName="[^"]*"' | sed 's/testName=/  /' | sort -u | head -40
fi
[ "$passed" -eq 0 ] && [ "$failed" -eq 0 ] && failed=1
if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ]
