# Debian roots: of the tools, of the box. Each is kept under the hash of what it is made of.

lists=appliance/packages
lock=appliance/packages.lock

# root NAME PACKAGES -> path of the root, in $root. Refused where it holds other packages than the lock says.
make_root() {
  local name=$1 packages=$2
  root=$cache/$name-$({ cat appliance/build/common.sh $lock 2>/dev/null && echo "$packages"; } | hash_of)
  if [ ! -d "$root" ]; then
    say "Debian root: $name"
    debian "$root" "$packages"
    [ -n "$update_lock" ] || check_lock "$name" "$root" || {
      rm -rf --one-file-system "$root" "$root.lock"
      return 1
    }
  fi
}

check_lock() {
  local others
  others=$(LC_ALL=C comm -13 <(grep -v '^#' $lock | LC_ALL=C sort) <(LC_ALL=C sort "$2.lock"))
  [ -z "$others" ] && return
  {
    echo "The mirror gives other packages for the root \"$1\" than $lock:"
    echo "$others" | head -20
    echo "Set DEBIAN_MIRROR to one that has those of the lock (a snapshot), or take these: scripts/image --update-lock"
  } >&2
  return 1
}

make_roots() {
  if [ -n "$update_lock" ]; then
    rm -rf --one-file-system "$cache"/{tools,headless,screen}-*
    : >$lock
    make_root tools "$(listed $lists/tools.list)"
    make_root headless "$(listed $lists/base.list)"
    make_root screen "$(listed $lists/base.list $lists/screen.list)"
    {
      echo "# Debian packages of the image and of the tools that build it: name, version, architecture, SHA-256 of the archive."
      LC_ALL=C sort -u "$cache"/{tools,headless,screen}-*.lock
    } >$lock.new
    mv $lock.new $lock
    # Named anew: the lock is among what they are named after.
    local name old packages
    for name in tools headless screen; do
      old=$(echo "$cache/$name"-*.lock)
      packages=$(packages_of $name)
      root=$cache/$name-$({ cat appliance/build/common.sh $lock && echo "$packages"; } | hash_of)
      mv "${old%.lock}" "$root"
      mv "$old" "$root.lock"
    done
  fi
  make_root tools "$(packages_of tools)"
  tools=$root
  make_root "$flavour" "$(packages_of "$flavour")"
  base=$root
}

packages_of() {
  case $1 in
    tools) listed $lists/tools.list ;;
    headless) listed $lists/base.list ;;
    screen) listed $lists/base.list $lists/screen.list ;;
  esac
}

# The initial ram disk: finds the root by its hash and checks it as it is read.
make_initrd() {
  kernel=$(ls "$base/usr/lib/modules")
  initrd=$cache/initrd-$({ find appliance/initrd -type f -exec sha256sum {} + | LC_ALL=C sort && cat "$base.lock" appliance/build/roots.sh; } | hash_of)
  [ -s "$initrd" ] && return
  say "initial ram disk for Linux $kernel"
  rm -rf "$cache/initrd.files"
  cp -r appliance/initrd "$cache/initrd.files"
  chmod -R u=rwX,go=rX "$cache/initrd.files"
  local said=$cache/initrd.log
  inside "$base" dracut --quiet --force --tmpdir /tmp --include /w/initrd.files / --kver "$kernel" \
    --no-hostonly --no-hostonly-cmdline --reproducible --no-compress \
    -m "systemd systemd-initrd systemd-udevd systemd-veritysetup systemd-journald systemd-modules-load dm kernel-modules rootfs-block udev-rules base fs-lib shutdown" \
    --drivers "squashfs dm_verity virtio_blk virtio_pci virtio_scsi nvme ahci sd_mod usb_storage uas xhci_pci ehci_pci mmc_block sdhci_pci sdhci_acpi vmd i6300esb iTCO_wdt sp5100_tco efivarfs" \
    /w/initrd.new >"$said" 2>&1 || {
    cat "$said" >&2
    return 1
  }
  inside "$tools" zstd -q -f -10 -T2 /w/initrd.new -o /w/initrd.new.zst
  mv "$cache/initrd.new.zst" "$initrd"
  rm -rf "$cache/initrd.new" "$cache/initrd.files"
}
