#!/usr/bin/env bash
# Builds the images with whichever of docker, podman or buildah is there.
#   deploy/images/build.sh --base IMAGE@sha256:... [--tag NAME/] [--arch amd64,arm64] [COMPONENT...]
# Without any of them: deploy/images/layout.sh writes the same images as OCI layouts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/images/common.sh

base='' registry='' arches=amd64 chosen=()
while [ $# -gt 0 ]; do
    case "$1" in
        --base) base=$2; shift 2 ;;
        --tag) registry=$2; shift 2 ;;
        --arch) arches=$2; shift 2 ;;
        -*) echo "build.sh: unknown argument '$1' (known: --base, --tag, --arch)" >&2; exit 64 ;;
        *) chosen+=("$1"); shift ;;
    esac
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${components[@]}")
[[ $base == *@sha256:* ]] || { echo "build.sh: name the base image by digest: --base NAME@sha256:... (glibc, libssl 3, libstdc++; a tag alone may change under you)" >&2; exit 64; }

engine=
for candidate in docker podman buildah; do
    command -v $candidate >/dev/null && $candidate info >/dev/null 2>&1 && engine=$candidate && break
done
[ -n "$engine" ] || { echo "build.sh: neither docker, podman nor buildah works here; deploy/images/layout.sh needs none of them" >&2; exit 69; }

version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
for component in "${chosen[@]}"; do
    for arch in ${arches//,/ }; do
        publish "$component" "$arch"
        name=$registry$component:$version
        [ "$arches" = "$arch" ] || name+=-$arch
        echo "building $name with $engine"
        $engine build --platform "linux/$arch" --build-arg "BASE=$base" --build-arg "TARGETARCH=$arch" -f "deploy/images/$component.Containerfile" -t "$name" .
    done
done
