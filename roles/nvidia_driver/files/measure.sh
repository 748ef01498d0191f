#!/bin/sh
# Says what a host has of NVIDIA's: lines of "name<TAB>value". Reads only.
# Arguments: file of containerd's runtime, CDI specification, and another place of /sys for a trial.
set -u
sys=${3:-/sys}
export LC_ALL=C

say() { printf '%s\t%s\n' "$1" "$2"; }
first() { head -n 1 2>/dev/null; }

# shellcheck disable=SC1091
. /etc/os-release
case "$ID ${ID_LIKE:-}" in
    ubuntu*) say os ubuntu ;;
    debian*) say os debian ;;
    *) say os "$ID" ;;
esac
say version "${VERSION_ID:-}"
say codename "${VERSION_CODENAME:-}"
say architecture "$(uname -m)"
say kernel "$(uname -r)"

gpus=0
switches=0
for device in "$sys"/bus/pci/devices/*; do
    [ -r "$device/vendor" ] && [ "$(cat "$device/vendor")" = 0x10de ] || continue
    # PCI classes: 0x0300 and 0x0302 display and 3D controllers, 0x0680 other bridges, as NVSwitches are.
    case $(cat "$device/class") in
        0x03*) gpus=$((gpus + 1)) ;;
        0x0680*) switches=$((switches + 1)) ;;
    esac
done
say gpus "$gpus"
say nvswitches "$switches"

if [ -d "$sys/module/nouveau" ]; then say nouveau loaded; else say nouveau absent; fi
if grep -qsE '^[[:space:]]*blacklist[[:space:]]+nouveau' /etc/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf \
    /lib/modprobe.d/*.conf; then say blacklist yes; else say blacklist no; fi

loaded=$(cat "$sys"/module/nvidia/version 2>/dev/null)
say loaded "${loaded:-none}"
installed=$(modinfo --field version nvidia 2>/dev/null | first)
say installed "${installed:-none}"
if grep -qs 'Open Kernel Module' /proc/driver/nvidia/version; then say open yes; else say open no; fi

# Version of a package without epoch and revision.
upstream() {
    dpkg-query --show --showformat='${db:Status-Status} ${Version}\n' "$1" 2>/dev/null \
        | sed -n 's/^installed \([0-9]*:\)\{0,1\}\([^-]*\).*/\2/p' | first
}
fabric=$(upstream 'nvidia-fabricmanager*')
say 'fabric manager' "${fabric:-none}"
toolkit=$(upstream nvidia-container-toolkit)
say toolkit "${toolkit:-none}"

active=$(systemctl is-active nvidia-persistenced.service 2>/dev/null)
say persistence "${active:-inactive}"
active=$(systemctl is-active nvidia-fabricmanager.service 2>/dev/null)
say 'fabric manager service' "${active:-inactive}"

if grep -qs nvidia-container-runtime /etc/containerd/config.toml /etc/containerd/conf.d/*.toml "${1:-}"; then
    say runtime yes
else
    say runtime no
fi
if [ -e /etc/containerd/config.toml ] || command -v containerd >/dev/null; then say containerd yes; else say containerd no; fi
spec=$(sed -n 's/.*libcuda\.so\.\([0-9][0-9.]*[0-9]\).*/\1/p' "${2:-/etc/cdi/nvidia.yaml}" 2>/dev/null | grep -F . | first)
say cdi "${spec:-none}"

if mokutil --sb-state 2>/dev/null | grep -q enabled; then say 'secure boot' on; else say 'secure boot' off; fi
if python3 -c 'import apt' 2>/dev/null; then say python-apt yes; else say python-apt no; fi
