#!/bin/sh
# Says what a host has of AMD's GPUs: lines of "name<TAB>value". Reads only.
# Arguments: CDI specification, and another place of /sys for a trial.
set -u
sys=${2:-/sys}
export LC_ALL=C

say() { printf '%s\t%s\n' "$1" "$2"; }

# shellcheck disable=SC1091
. /etc/os-release
case "$ID ${ID_LIKE:-}" in
    ubuntu*) say os ubuntu ;;
    debian*) say os debian ;;
    *) say os "$ID" ;;
esac
say codename "${VERSION_CODENAME:-}"
say kernel "$(uname -r)"

gpus=0
for device in "$sys"/bus/pci/devices/*; do
    [ -r "$device/vendor" ] && [ "$(cat "$device/vendor")" = 0x1002 ] || continue
    # PCI classes: 0x03 display controllers, 0x12 processing accelerators, as Instinct modules are.
    case $(cat "$device/class") in
        0x03* | 0x12*) gpus=$((gpus + 1)) ;;
    esac
done
say gpus "$gpus"

# The module of a kernel has no version of its own, one that was built here has.
if [ -d "$sys/module/amdgpu" ]; then
    loaded=$(cat "$sys"/module/amdgpu/version 2>/dev/null)
    say loaded "${loaded:-unknown}"
else
    say loaded none
fi
if modinfo amdgpu >/dev/null 2>&1; then
    installed=$(modinfo --field version amdgpu 2>/dev/null | head -n 1)
    say installed "${installed:-unknown}"
else
    say installed none
fi

version() {
    dpkg-query --show --showformat='${db:Status-Status} ${Version}\n' "$1" 2>/dev/null \
        | sed -n 's/^installed \([0-9]*:\)\{0,1\}//p' | head -n 1
}
package=$(version amdgpu-dkms)
say package "${package:-none}"
say archive "$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/amd-rocm.sources 2>/dev/null | paste -sd' ' -)"
toolkit=$(version amd-container-toolkit)
say toolkit "${toolkit:-none}"
tools=none
for tool in rocm-smi amd-smi /opt/rocm/bin/amd-smi; do
    command -v "$tool" >/dev/null && tools=$(command -v "$tool")
done
say tools "$tools"

for group in render video; do
    say "$group" "$(getent group "$group" | cut -d: -f4)"
done
# A device for each GPU, and one for all of them.
devices=$(grep -oE '"name": *"[0-9]+"' "${1:-/etc/cdi/amd.json}" 2>/dev/null | sort -u | wc -l)
say cdi "$devices"
if python3 -c 'import apt' 2>/dev/null; then say python-apt yes; else say python-apt no; fi
