# The first release of a host; done twice it changes nothing.
# shellcheck shell=sh

install_here() {
    look_at_host
    look_at_python
    name_release
    ! broken_off || fail "a move from $(noted from) to $(noted to) was broken off: \`update\` finishes it, \`back\` takes it back"
    there=$(current || :)
    if [ -n "$there" ] && [ "$there" != "$NAME" ]; then
        fail "release $there is installed: \`update\` goes to $NAME"
    fi
    look_at_units
    [ -f "$RELEASE/.whole" ] || look_at_disk
    [ -f "$CONFIG" ] || ! has_role control || look_at_ports
    lock
    make_release
    make_account
    make_folders
    [ "$there" = "$NAME" ] || act "$OPT/current is release $NAME" switch_to "$NAME"
    switch_links
    install_units "$SOURCE/deploy/systemd"
    install_logrotate
    install_nginx
    configure
    if [ "$START" = yes ]; then start_all; fi
}

# What a kill between two links left away.
switch_links() {
    [ "$DRY" = yes ] || switch_to "$NAME"
}

start_all() {
    if has_role control || has_role gateway; then
        [ -f "$CONFIG" ] || [ "$DRY" = yes ] || fail "$CONFIG is not there: --answers FILE writes it"
    fi
    if has_role control; then
        act 'sendgate migrate' as_account "$NAME" migrate
        start_one sendgate-control
        # It names all that is left, PowerMTA too: none of it keeps a gateway from starting.
        act 'sendgate check' as_account "$NAME" check || warn 'sendgate check has more to say (above)'
        for timer in sendgate-backup.timer sendgate-drill.timer; do
            act "systemctl enable --now $timer" systemctl enable --quiet --now "$timer"
        done
    fi
    if has_role gateway; then start_one sendgate-gateway; fi
    if has_role agent; then start_one sendgate-agent; fi
}

start_one() {
    act "systemctl enable --now $1" enable_one "$1"
}

enable_one() {
    if ! systemctl enable --quiet --now "$1" 9>&- || ! goes_on "$1"; then
        told_by "$1"
        fail "$1 does not run: mend what it says, then run this again"
    fi
}
