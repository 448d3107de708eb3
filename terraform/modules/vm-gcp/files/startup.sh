#!/bin/sh
# Each boot: installs cloud-init where the image has none, and starts again to let it work.
set -eu
! command -v cloud-init >/dev/null || exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q cloud-init
reboot
