# Runs in the root of the tools. usage: inside.sh FOLDER VERITY_UUID DISK_SEED
set -euo pipefail
cd "$1"
version=$(cat version) kernel=$(cat kernel)
# No time but the commit's, and owners as in the tree.
env -u SOURCE_DATE_EPOCH mksquashfs tree root.raw -quiet -no-progress -noappend -comp zstd -Xcompression-level 9 -b 128K -processors 2 \
  -mkfs-time "$SOURCE_DATE_EPOCH" -all-time "$SOURCE_DATE_EPOCH"
veritysetup format root.raw verity.raw --salt="$(printf 'diemcau-%s' "$version" | sha256sum | cut -c1-64)" --uuid="$2" >verity.txt
hash=$(awk '/Root hash/{print $3}' verity.txt)
uuid() { echo "${1:0:8}-${1:8:4}-${1:12:4}-${1:16:4}-${1:20:12}"; }
# The Discoverable Partitions Specification: root and verity partition are named after the two halves of the root hash.
uuid "${hash:0:32}" >root.uuid
uuid "${hash:32:32}" >verity.uuid
ukify build --linux=vmlinuz --initrd=initrd --os-release=@tree/usr/lib/os-release --uname="$kernel" \
  --cmdline="roothash=$hash systemd.verity_root_options=panic-on-corruption ro quiet panic=10 fsck.repair=yes systemd.machine_id=firmware systemd.gpt_auto=1" \
  --output=uki.efi >/dev/null
for place in EFI/BOOT/BOOTX64.EFI EFI/systemd/systemd-bootx64.efi; do
  cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi "esp/$place"
done
cp uki.efi "esp/EFI/Linux/diemcau_$version.efi"
printf 'timeout 0\neditor no\n' >esp/loader/loader.conf
find esp -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cat >repart/10-esp.conf <<X
[Partition]
Type=esp
Format=vfat
CopyFiles=$1/esp:/
SizeMinBytes=1G
SizeMaxBytes=1G
X
cat >repart/20-root.conf <<X
[Partition]
Type=root
Label=diemcau_$version
UUID=$(cat root.uuid)
CopyBlocks=$1/root.raw
SizeMinBytes=2G
SizeMaxBytes=2G
ReadOnly=1
X
cat >repart/21-verity.conf <<X
[Partition]
Type=root-verity
Label=diemcau_${version}_v
UUID=$(cat verity.uuid)
CopyBlocks=$1/verity.raw
SizeMinBytes=64M
SizeMaxBytes=64M
ReadOnly=1
X
systemd-repart --empty=create --size=auto --offline=yes --seed="$3" --definitions="$1/repart" --dry-run=no "$1/disk.raw" >repart.log 2>&1 || {
  cat repart.log >&2
  exit 1
}
