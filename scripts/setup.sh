#!/usr/bin/env bash
# Installs what Spillway is built from, all of it Debian 12 packages; nothing happens when everything is there.
#   scripts/setup.sh             what `make build`, `make test` and `make demo` need
#   scripts/setup.sh PACKAGE...  these packages instead (developer tools)
# SPILLWAY_SKIP_SETUP=1 skips the step on a system where the needs were met another way.
set -euo pipefail

# certificates come first: everything after them may travel over TLS.
first=(ca-certificates)
compiler=(git make g++ cmake ninja-build ccache pkg-config)
libraries=(
  libboost1.81-dev libboost-test1.81-dev libboost-json1.81-dev  # tests, JSON
  libcaf-dev                                                    # actors
  libzmq3-dev capnproto libcapnp-dev                            # the wire
  libtomlplusplus-dev libcli11-dev libspdlog-dev                # config, command line, log
  libxxhash-dev libsodium-dev libexpected-dev libutf8proc-dev)  # digests, keys, Result, Unicode
tools=(python3 python3-pip iproute2)  # the model comes from PyPI; tests use network namespaces

if [ $# -gt 0 ]; then needs=("$@"); else needs=("${first[@]}" "${compiler[@]}" "${libraries[@]}" "${tools[@]}"); fi
[ "${SPILLWAY_SKIP_SETUP:-}" = 1 ] && exit 0

missing=()
if command -v dpkg-query >/dev/null; then
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${needs[@]}" 2>/dev/null | sed -n 's/^ii  *//p' || true)
  for package in "${needs[@]}"; do grep -qxF -- "$package" <<<"$installed" || missing+=("$package"); done
else
  missing=("${needs[@]}")
fi
[ ${#missing[@]} = 0 ] && exit 0

system=unknown
[ -r /etc/os-release ] && system=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-}")
if [ "$system" != "debian 12" ] || ! command -v apt-get >/dev/null; then
  {
    echo "spillway: this is '$system'; set-up knows Debian 12 (bookworm) alone. Install what these Debian packages hold"
    echo "and run again with SPILLWAY_SKIP_SETUP=1:"
    printf '  %s\n' "${needs[@]}"
  } >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "spillway: set-up must install ${missing[*]}: run it as root, or install sudo" >&2; exit 1; }
  as_root=(sudo --preserve-env=PIP_CERT,SSL_CERT_FILE,http_proxy,https_proxy,no_proxy)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@"; }
install() { apt install -y --no-install-recommends "$@" >/dev/null; }

# Installing ca-certificates writes a new bundle over /etc/ssl/certs/ca-certificates.crt. A bundle that somebody put there by
# hand (a company's proxy) must live on, since PIP_CERT or SSL_CERT_FILE may name it: its certificates are added again.
install_certificates() {
  local bundle=/etc/ssl/certs/ca-certificates.crt before
  before=$(mktemp)
  [ -s "$bundle" ] && cat "$bundle" >"$before"
  install ca-certificates
  if [ -s "$before" ] && ! cmp -s "$before" "$bundle"; then
    "${as_root[@]}" sh -c "cat '$before' >>'$bundle'"
  fi
  rm -f "$before"
}

echo "spillway: installing ${#missing[@]} Debian packages: ${missing[*]}"
apt update >/dev/null
if [[ " ${missing[*]} " == *" ca-certificates "* ]]; then install_certificates; fi
install "${missing[@]}"
echo "spillway: set-up done"
