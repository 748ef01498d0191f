#!/bin/sh
# Says what a host has: a line for each thing asked for, "topic name<TAB>value", and a few that are not asked for.
# Reads only. Asked for is "package X", "module X", "sysctl X", "limit X=wanted" and "hugepages X" (size in kB).
set -u
export LC_ALL=C

say() { printf '%s\t%s\n' "$1" "$2"; }

loaded() {
    # A module may be a part of the kernel: then it shows in what it makes.
    unit=$(printf '%s' "$1" | tr - _)
    [ -d "/sys/module/$unit" ] && return 0
    grep -qw -- "$1" /proc/filesystems && return 0
    [ "$unit" = br_netfilter ] && [ -d /proc/sys/net/bridge ] && return 0
    grep -q "/$(printf '%s' "$unit" | sed 's/_/[-_]/g')\.ko" "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null
}

hard_limit() {
    case $1 in
        nofile) line='Max open files' ;;
        nproc) line='Max processes' ;;
        memlock) line='Max locked memory' ;;
        core) line='Max core file size' ;;
        stack) line='Max stack size' ;;
        *) return 1 ;;
    esac
    sed -n "s/^$line  *[^ ]*  *\([^ ]*\).*/\1/p" /proc/1/limits
}

# CAP_SYS_RESOURCE, bit 24 of the effective capabilities of the first process: who has it may raise any limit.
effective=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/1/status)
raises=$(((0x$effective >> 24) & 1))
writable=

for asked in "$@"; do
    name=${asked#* }
    case $asked in
        package\ *)
            case $(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null) in
                installed) say "$asked" installed ;;
                *) say "$asked" absent ;;
            esac
            ;;
        module\ *)
            if loaded "$name"; then say "$asked" loaded; else say "$asked" absent; fi
            ;;
        sysctl\ *)
            file=/proc/sys/$(printf '%s' "$name" | tr . /)
            if [ -r "$file" ]; then
                say "$asked" "$(tr '\t' ' ' <"$file")"
                [ -n "$(find "$file" -perm -200 2>/dev/null)" ] && writable="$writable,$asked"
            else
                say "$asked" absent
            fi
            ;;
        limit\ *)
            wanted=${name#*=}
            name=${name%%=*}
            hard=$(hard_limit "$name") || hard=unlimited
            if [ "$raises" = 1 ] || [ "$hard" = unlimited ]; then
                say "limit $name" "$wanted"
            elif [ "$wanted" != unlimited ] && [ "$hard" -ge "$wanted" ]; then
                say "limit $name" "$wanted"
            else
                say "limit $name" "$hard"
            fi
            ;;
        hugepages\ *)
            say "$asked" "$(cat "/sys/kernel/mm/hugepages/hugepages-${name}kB/nr_hugepages" 2>/dev/null || echo absent)"
            ;;
    esac
done
say writable "${writable#,}"

swaps=$(awk 'NR > 1 {print $1}' /proc/swaps 2>/dev/null | paste -sd, -)
say swap "${swaps:-off}"
lines=$(awk '$1 !~ /^#/ && $3 == "swap" {print $1}' /etc/fstab 2>/dev/null | paste -sd, -)
say fstab "${lines:-no swap}"

case $(timedatectl show --property=NTPSynchronized --value 2>/dev/null) in
    yes) say clock synchronized ;;
    *) say clock 'not synchronized' ;;
esac

# What belongs to the whole machine is not to be seen from another network namespace.
if [ -e /proc/sys/net/core/netdev_max_backlog ]; then say network "the machine's"; else say network own; fi
if [ -e /run/reboot-required ]; then say reboot required; else say reboot 'not required'; fi
if python3 -c 'import apt' 2>/dev/null; then say python-apt yes; else say python-apt no; fi
