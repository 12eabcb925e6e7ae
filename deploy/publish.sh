#!/usr/bin/env bash
# Builds the data plane, ztunnel and waypoint, as native code: one file each, no runtime to install; a third to a half of the memory and start time of the same
# programs under the JIT. The waypoint has no filters then (docs/filters.md).
#   deploy/publish.sh [DIRECTORY]    default: artifacts/native in this clone
# Needs what native linking needs (clang or gcc, zlib1g-dev). The build output in bin/ and obj/ is not touched.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:-$root/artifacts/native}
command -v dotnet >/dev/null || { echo "deploy/publish.sh: dotnet is not on PATH; install the .NET 10 SDK" >&2; exit 69; }
mkdir -p "$target"
# Google.Protobuf is not annotated for trimming; what the mesh uses of it (generated messages, binary form) needs no reflection.
for project in ztunnel/Ztunnel.csproj waypoint/Waypoint.csproj; do
    DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 dotnet publish "$root/$project" -c Release -r linux-x64 -p:PublishAot=true -p:IlcTreatWarningsAsErrors=false \
        --artifacts-path "$root/artifacts/publish" -o "$target" -v q -nologo -clp:NoSummary
done
rm -f "$target"/*.pdb "$target"/*.xml
echo "$target/ztunnel"
echo "$target/waypoint"
