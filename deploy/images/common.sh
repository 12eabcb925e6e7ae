# Sourced by build.sh and layout.sh: publishing a component, and its bill of materials.
components=(ztunnel waypoint istiod-lite)

# publish COMPONENT ARCH: the program for amd64 or arm64, self-contained and compiled ahead as far as the SDK can, into artifacts/images/COMPONENT/ARCH
publish() {
    local runtime
    case "$2" in amd64) runtime=linux-x64 ;; arm64) runtime=linux-arm64 ;; *) echo "unknown architecture '$2': amd64 or arm64" >&2; return 64 ;; esac
    local out=artifacts/images/$1/$2
    rm -rf "$out"
    # Intermediate files of their own: the ordinary build of this checkout stays as it is.
    local common=(-c Release -r "$runtime" --self-contained -p:PublishReadyToRun=true -p:RunAnalyzers=false -p:DebugType=none --artifacts-path artifacts/publish -v q -nologo)
    dotnet publish "$1" "${common[@]}" -o "$out" || return 70
    # The plugin is copied to the node by itself: one small file.
    [ "$1" != ztunnel ] || dotnet publish deploy/cni "${common[@]}" -p:PublishTrimmed=true -p:PublishSingleFile=true -o "$out/cni" || return 70
    sbom "$1" "$out" >"$out/sbom.spdx.json"
}

# sbom COMPONENT FOLDER: every library of the program with its version, as SPDX 2.3, read from what the SDK wrote beside it.
sbom() {
    local version; version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
    printf '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"%s","documentNamespace":"urn:mesh:%s:%s",' "$1" "$1" "$version"
    printf '"creationInfo":{"created":"%s","creators":["Tool: deploy/images"]},"packages":[' "$(date -u -d "@$epoch" +%FT%TZ)"
    printf '{"name":"%s","SPDXID":"SPDXRef-%s","versionInfo":"%s","downloadLocation":"NOASSERTION","licenseConcluded":"MIT"}' "$1" "$1" "$version"
    cat "$2"/*.deps.json | grep -oE '"[A-Za-z0-9_.-]+/[0-9][^"]*": \{' | tr -d '": {' | sort -u | while IFS=/ read -r name number; do
        printf ',{"name":"%s","SPDXID":"SPDXRef-%s","versionInfo":"%s","downloadLocation":"NOASSERTION","licenseConcluded":"NOASSERTION","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:nuget/%s@%s"}]}' \
            "$name" "${name//_/-}-${number//[^0-9A-Za-z.]/-}" "$number" "$name" "$number"
    done
    printf ']}\n'
}

# The same inputs give the same bytes: all times are that of the last commit.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
