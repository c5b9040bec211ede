# What is looked at before anything is changed.
# shellcheck shell=sh

# MiB that a release and what it is built of take at most, with room.
LEAST_DISK=1024
# What the samples of the configuration listen on.
PORTS='2587 8000 8025'

look_at_host() {
    [ "$(id -u)" = 0 ] || fail 'it is not run by root: it makes a user, units and folders'
    # shellcheck disable=SC1091
    system=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || system=unknown
    case $system in
    'debian 12' | 'debian 13') ;;
    *) [ "$ANY_SYSTEM" = yes ] || fail "this is $system, and it was tried on Debian 12 and 13: --any-system goes on" ;;
    esac
    [ -d /run/systemd/system ] || fail 'systemd does not run here: the units would be nobody'"'"'s'
    for command in systemctl runuser flock useradd sha256sum; do
        command -v "$command" >/dev/null || fail "$command is not here: install it (Debian: apt-get install systemd util-linux passwd coreutils)"
    done
    if [ -L "$OPT" ]; then
        fail "$OPT is a link, of an installation by hand: take it away (rm $OPT; what runs goes on) and run this again"
    fi
}

look_at_python() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "$PYTHON is no Python 3.11 or newer: name one by --python"
    "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$PYTHON has no venv: on Debian, apt-get install python3-venv"
}

look_at_disk() {
    folder=$OPT
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "${SENDGATE_SETUP_DISK:-$LEAST_DISK}" ] ||
        fail "$folder has $free MiB left, and a release takes ${SENDGATE_SETUP_DISK:-$LEAST_DISK} while it is made: make room (SENDGATE_SETUP_DISK=MiB says less)"
}

# A configuration that is there is looked at by `sendgate check`.
look_at_ports() {
    for port in $PORTS; do
        "$PYTHON" -c 'import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[1])))' "$port" 2>/dev/null ||
            warn "port $port is taken: choose another in $CONFIG"
    done
}

# One at a time; the kernel forgets it with the process.
lock() {
    [ "$DRY" = no ] || return 0
    mkdir -p "$OPT"
    exec 9>"$OPT/.lock"
    flock -n 9 || fail 'another one runs: wait for it'
}
