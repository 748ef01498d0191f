# Looks at what roles change on a host: files, packages, services, rules and interfaces of the network.
#   sh look.sh remember before|prepared    keeps it, until the host starts again
#   sh look.sh compare EXPRESSIONS         prints what differs from what was kept and matches no line of these; what
#                                          was prepared counts once
set -eu
LC_ALL=C
export LC_ALL
place=/run/proving-ground-scenarios

# What changes by itself is left out: caches, notes of package tools (packages are asked for), state of systemd.
look() {
    find /etc /home /opt /root /srv /usr /var/lib -xdev \
        \( -name __pycache__ -o -path '/root/.ansible' -o -path '/root/.cache' -o -path '/root/.kube' \
        -o -path '/var/lib/dpkg' -o -path '/var/lib/apt' -o -path '/var/lib/systemd' -o -path '/var/lib/containerd' \
        -o -path '/var/lib/kubelet' -o -path '/var/lib/etcd' \
        -o -path '/etc/*-' -o -path '/etc/.pwd.lock' -o -path '/etc/ld.so.cache' \) -prune \
        -o -type d -printf 'directory %p %m %u\n' -o -printf 'file %p %m %u %s %l\n'
    find /etc /root /usr/local -xdev \
        \( -path '/root/.ansible' -o -path '/root/.cache' -o -path '/root/.kube' -o -path '/etc/*-' \
        -o -path '/etc/ld.so.cache' \) -prune \
        -o -type f -print0 | xargs -0 sha256sum
    dpkg-query --show --showformat 'package ${Package} ${Version} ${Status}\n'
    systemctl list-unit-files --state=enabled,masked --plain --no-legend | sed 's/^/unit /'
    for program in iptables ip6tables; do
        "$program-save" 2>/dev/null | grep '^-A' | sed "s/^/$program /"
    done
    ip -oneline link | sed 's/^[0-9]*: \([^:@]*\).*/interface \1/'
    ip route | sed 's/^/route /'
    sysctl net.ipv4.ip_forward net.ipv4.ip_local_port_range
}

mkdir -p "$place"
case $1 in
remember)
    look | sort >"$place/$2"
    ;;
compare)
    look | sort >"$place/now"
    [ -e "$place/prepared" ] && kept=prepared || kept=before
    diff "$place/$kept" "$place/now" | grep '^[<>]' | grep -v -E -e "${2:-^$}" || true
    rm -f "$place/prepared"
    ;;
esac
