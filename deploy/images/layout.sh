#!/usr/bin/env bash
# Writes an OCI image layout without a container engine: one layer with the system libraries of this (Debian-like) machine, one with the program.
#   deploy/images/layout.sh COMPONENT FOLDER      for this machine's architecture; FOLDER must not exist
# Any tool that knows the layout can carry it on: skopeo copy oci:FOLDER docker://...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/images/common.sh

[ $# -eq 2 ] || { echo "usage: deploy/images/layout.sh COMPONENT FOLDER (components: ${components[*]})" >&2; exit 64; }
component=$1 out=$2
[[ " ${components[*]} " == *" $component "* ]] || { echo "layout.sh: there is no component '$component' (components: ${components[*]})" >&2; exit 64; }
[ ! -e "$out" ] || { echo "layout.sh: $out exists; name a folder that does not" >&2; exit 73; }
case "$(uname -m)" in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) echo "layout.sh: no images for $(uname -m)" >&2; exit 69 ;; esac

work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
publish "$component" "$arch"

# What the program and, in the agent, the rule tools load; at the paths where the loader looks for it.
base=$work/base
mkdir -p "$base"/{tmp,run,var,etc,proc,sys,dev}
chmod 1777 "$base/tmp"
take() { local file; for file in "$@"; do [ -e "$file" ] && mkdir -p "$base$(dirname "$file")" && cp -L "$file" "$base$file"; done; return 0; }
closure() { ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | sort -u; }
program=artifacts/images/$component/$arch/$component
mapfile -t libraries < <({ for file in "$program" "$(dirname "$program")"/*.so; do closure "$file"; done; ldconfig -p | grep -oE '/[^ ]*lib(ssl|crypto)\.so\.3$|/[^ ]*libnss_(dns|files)\.so\.2$'; } | sort -u)
take "${libraries[@]}" /etc/ssl/certs/ca-certificates.crt
if [ "$component" = ztunnel ]; then
    for tool in nft xtables-nft-multi; do
        path=$(command -v "/usr/sbin/$tool") || { echo "layout.sh: $tool is not installed here: apt-get install nftables iptables" >&2; exit 69; }
        mapfile -t needed < <(closure "$path")
        take "$path" "${needed[@]}"
    done
    for name in iptables iptables-restore iptables-save ip6tables ip6tables-restore ip6tables-save; do ln -s xtables-nft-multi "$base/usr/sbin/$name"; done
    extensions=(/usr/lib/*/xtables) && mkdir -p "$base${extensions[0]}" && cp -L "${extensions[0]}"/*.so "$base${extensions[0]}"
fi
printf 'root:x:0:0:root:/:/sbin/nologin\nmesh:x:1337:1337:mesh:/:/sbin/nologin\n' >"$base/etc/passwd"
printf 'root:x:0:\nmesh:x:1337:\n' >"$base/etc/group"
printf 'hosts: files dns\n' >"$base/etc/nsswitch.conf"
mkdir -p "$work/app/app" && cp -r "$(dirname "$program")/." "$work/app/app"

blobs=$out/blobs/sha256
mkdir -p "$blobs"
# blob FILE: moves it among the blobs and prints its digest.
blob() { local digest; digest=$(sha256sum "$1" | cut -d' ' -f1); mv "$1" "$blobs/$digest"; echo "$digest"; }
size() { stat -c %s "$blobs/$1"; }
# layer FOLDER: diff id (of the tar) and digest (of the compressed tar)
layer() {
    tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -C "$1" -cf "$1.tar" .
    local diff; diff=$(sha256sum "$1.tar" | cut -d' ' -f1)
    gzip -n -6 "$1.tar"
    echo "$diff $(blob "$1.tar.gz")"
}
read -r base_diff base_digest < <(layer "$base")
read -r app_diff app_digest < <(layer "$work/app")
created=$(date -u -d "@$epoch" +%FT%TZ)
user=$([ "$component" = ztunnel ] && echo 0:1337 || echo 1337:1337)

printf '{"created":"%s","architecture":"%s","os":"linux","config":{"User":"%s","Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":["/app/%s"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]},"history":[{"created":"%s","created_by":"system libraries"},{"created":"%s","created_by":"%s"}]}' \
    "$created" "$arch" "$user" "$component" "$base_diff" "$app_diff" "$created" "$created" "$component" >"$work/config"
config=$(blob "$work/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s},{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
    "$config" "$(size "$config")" "$base_digest" "$(size "$base_digest")" "$app_digest" "$(size "$app_digest")" >"$work/manifest"
manifest=$(blob "$work/manifest")
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
    "$manifest" "$(size "$manifest")" "$arch" "$version" >"$out/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
echo "$out: $component $version for $arch, sha256:$manifest, $(du -sh "$out" | cut -f1)"
