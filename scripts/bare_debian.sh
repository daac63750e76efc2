#!/usr/bin/env bash
# Tries the checkout the way a newcomer does: a fresh Debian 12 with git and make alone, a clone, `make TARGET`.
#   sudo scripts/bare_debian.sh [make targets]      default: test
# Needs debootstrap and root. Mirror, proxies, pip settings and certificates are taken from this machine. The folder goes when
# the script ends, unless SPILLWAY_BARE_KEEP=1; SPILLWAY_BARE_DIR names its parent (default /var/tmp). With SPILLWAY_BARE_BASE=DIR
# a folder kept by an earlier run is copied instead of made anew, as it was before the clone.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(test)
[ "$(id -u)" = 0 ] || { echo "bare_debian: needs root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare_debian: needs the package debootstrap" >&2; exit 1; }

root=$(mktemp -d "${SPILLWAY_BARE_DIR:-/var/tmp}/spillway-bare.XXXXXX")
mounted() { awk '{print $2}' /proc/mounts | grep -F "$root/" || true; }
cleanup() {
  mounted | sort -r | while read -r point; do umount "$point" 2>/dev/null || umount -l "$point" || true; done
  if [ -n "$(mounted)" ]; then
    echo "bare_debian: something is still mounted below $root; left alone" >&2
  elif [ "${SPILLWAY_BARE_KEEP:-}" = 1 ]; then
    echo "bare_debian: kept $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

make_base() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "bookworm" && $3 == "main" {print $1; exit}')
  [ -n "$mirror" ] || { echo "bare_debian: this machine's apt knows no bookworm main" >&2; exit 1; }
  debootstrap --variant=minbase --include=git,make bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; rm -f "$root.log"; exit 1; }
  rm -f "$root.log"
}

# What reaches the network the way this machine does: sources, apt's proxies, pip, certificates, name service.
copy_machine_settings() {
  rm -f "$root/etc/apt/sources.list"
  cp -L /etc/apt/sources.list.d/*.sources "$root/etc/apt/sources.list.d/" 2>/dev/null || true
  cp -L /etc/apt/sources.list.d/*.list "$root/etc/apt/sources.list.d/" 2>/dev/null || true
  if [ -s /etc/apt/sources.list ]; then cp -L /etc/apt/sources.list "$root/etc/apt/"; fi
  apt-config dump | grep -E '^Acquire::([A-Za-z]+::)?(Proxy|Verify|CaInfo|Retries|Check-Valid)' >"$root/etc/apt/apt.conf.d/90machine" || true
  local file
  for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt "${PIP_CERT:-}" "${SSL_CERT_FILE:-}"; do
    if [ -n "$file" ] && [ -s "$file" ]; then
      mkdir -p "$root/$(dirname "$file")"
      cp -L "$file" "$root/$file"
    fi
  done
}

if [ -n "${SPILLWAY_BARE_BASE:-}" ]; then cp -a "$SPILLWAY_BARE_BASE/." "$root/"; else make_base; fi
chmod 755 "$root"
copy_machine_settings
if [ "${targets[*]}" = base ]; then exit 0; fi  # with SPILLWAY_BARE_KEEP=1: only the folder for SPILLWAY_BARE_BASE

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
git clone -q --no-hardlinks . "$root/root/spillway"
variables=()
while IFS= read -r -d '' pair; do
  [[ "$pair" =~ ^([A-Za-z_]+_proxy|[A-Z_]+_PROXY|PIP_[A-Z_]+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)= ]] && variables+=("$pair")
done < <(env -0)
echo "bare_debian: $(git rev-parse --short HEAD), make ${targets[*]}, in $root"
start=$SECONDS
status=0
env -i "${variables[@]}" HOME=/root TERM="${TERM:-dumb}" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  chroot "$root" make -C /root/spillway "${targets[@]}" || status=$?
echo "bare_debian: make ${targets[*]} ended with $status after $((SECONDS - start)) s"
exit $status
