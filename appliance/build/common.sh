# Shared by the steps of scripts/image. Expects: repo, cache, SOURCE_DATE_EPOCH.
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

# The host's mirror for suites that match, from apt's configuration in either format.
host_mirror() {
  awk -v want="$1" '/^URIs:/{u=$2} /^Suites:/{for(i=2;i<=NF;i++) if($i ~ want){print u; exit}}' \
    /etc/apt/sources.list.d/*.sources 2>/dev/null
  awk -v want="$1" '$1=="deb"{for(i=2;i<=3;i++) if($i ~ /:\/\// && $(i+1) ~ want){print $i; exit}}' /etc/apt/sources.list 2>/dev/null || true
}
mirror=${DEBIAN_MIRROR:-$(host_mirror '^(bookworm|trixie)$' | head -1)}
security=${DEBIAN_SECURITY_MIRROR:-$(host_mirror '^(bookworm|trixie)-security$' | head -1)}
[ -n "$mirror" ] || {
  echo "no Debian mirror in apt's configuration; set DEBIAN_MIRROR" >&2
  exit 1
}
sources() {
  echo "deb [signed-by=$keyring] $mirror $suite main"
  echo "deb [signed-by=$keyring] $mirror $suite-updates main"
  [ -z "$security" ] || echo "deb [signed-by=$keyring] $security $suite-security main"
}

# Names of a package list, joined by commas.
listed() { cat "$@" | sed 's/#.*//' | awk 'NF{print $1}' | LC_ALL=C sort -u | paste -sd,; }

# Hash of files and words: the name of what is made of them.
hash_of() { sha256sum | cut -c1-16; }

# debian OUT PACKAGES [OPTION …]: a Debian root without manuals and recommendations. What it installed, with the hash of
# each archive as the signed index of the mirror gives it, is in OUT.lock.
debian() {
  local out=$1 packages=$2 temporary
  shift 2
  temporary=$(mktemp -d "$cache/making-XXXXXX")
  # shellcheck disable=SC2016
  sources | mmdebstrap --quiet --mode=root --variant=apt --format=directory --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/lintian/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/vi/*' \
    --customize-hook='chroot "$1" dpkg-query -W -f "\${Package}:\${Architecture}=\${Version}\n" | xargs chroot "$1" apt-cache show |
      awk "/^Package:/{p=\$2} /^Version:/{v=\$2} /^Architecture:/{a=\$2} /^SHA256:/{print p, v, a, \$2}" | LC_ALL=C sort -u >"$1.lock"' \
    "$@" "" "$temporary/root" -
  mv "$temporary/root.lock" "$out.lock"
  mv "$temporary/root" "$out"
  rmdir "$temporary"
}

# inside ROOT COMMAND …: in a root with proc and dev, in a mount and process namespace of its own, so that nothing stays
# mounted or running whatever happens. The repository's cache is at /w.
inside() {
  local root=$1
  shift
  mkdir -p "$root/w"
  # shellcheck disable=SC2016
  unshare --mount --propagation slave --pid --fork --kill-child bash -euo pipefail -c '
    root=$1 work=$2
    shift 2
    mount --bind "$work" "$root/w"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC \
      SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"' inside "$root" "$cache" "$@"
}
