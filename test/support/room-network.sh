#!/bin/sh
# A box's view of a room's network: systemd-networkd of this machine with the given files, names asked of the given
# server, then the command. Run in a network namespace and a mount namespace of its own; ends with the command.
# usage: room-network.sh NETWORK_FOLDER RESOLV_CONF LEASED|- COMMAND…
set -eu
files=$1 resolv=$2 leased=$3
shift 3
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/netif/leases /run/systemd/network
chown -R systemd-network /run/systemd/netif
cp "$files"/* /run/systemd/network/
mount --bind "$resolv" /etc/resolv.conf
# Without udev, as in a container: interfaces are taken as they are.
mount -o remount,ro /sys
if [ "$leased" != - ]; then
  /lib/systemd/systemd-networkd 2>"$leased" &
  networkd=$!
  trap 'kill $networkd' EXIT
fi
"$@" &
command=$!
trap 'kill $command; wait $command; [ "$leased" = - ] || kill $networkd' TERM
wait $command
