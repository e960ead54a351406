# Builds Dockerfile.prod with buildah, which needs no daemon, and runs the image for real: started with its secrets as files, waited for,
# asked, stopped. Part of ./dev, which has say, has, fail, apt_install and postgres_directory.
#
# Where the base images' registry cannot be reached they are made here, under their public names, of debootstrap and this machine's SDK,
# and the three packages that a registry may lack may be replaced (docs/adr/0001). A release is never built so.

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

skip() { say "The image is not built here: $*"; exit 0; }
buildah_() { buildah --root "$work/store" --runroot "$work/run" "$@"; }

base_images() { sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile.prod; }

have_base_images() {
  local image
  for image in $(base_images); do timeout 600 buildah --root "$work/store" --runroot "$work/run" pull -q "$image" || return; done &>"$work/log"
}

make_base_images() {
  local sdk system=$work/system image container part
  sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
  mkdir -m 755 "$system"
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6,"$(icu_package)" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$system" >"$work/log" 2>&1 ||
    skip "debootstrap fails: $(tail -1 "$work/log")"
  cp /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/" # whom this machine trusts
  for image in $(base_images); do
    container=$(buildah_ from scratch)
    buildah_ add -q "$container" "$system" / >/dev/null
    for part in host shared/Microsoft.NETCore.App shared/Microsoft.AspNetCore.App; do
      buildah_ add -q "$container" "$sdk/$part" "/usr/share/dotnet/$part" >/dev/null
    done
    buildah_ add -q "$container" "$sdk/dotnet" /usr/bin/dotnet.d/ >/dev/null
    if [[ $image == */sdk:* ]]; then buildah_ add -q "$container" "$sdk" /usr/share/dotnet >/dev/null; fi
    buildah_ commit -q --rm "$container" "$image" >/dev/null
  done
  rm -rf "$system"
}
