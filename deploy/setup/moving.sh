# From one release to another, and back by itself.
# shellcheck shell=sh

# move_to RELEASE: link, units, restarts, each seen to serve. WHY says what failed.
move_to() {
    act "$OPT/current is release $1" switch_to "$1" || { WHY="$OPT/current could not be set" && return 1; }
    install_units "$OPT/releases/$1/deploy/systemd" || { WHY='units could not be installed' && return 1; }
    for unit in $ACTIVE; do
        if [ "$DRY" = yes ]; then
            say "would: restart $unit"
            continue
        fi
        restarted "$unit" "$1" || return 1
        case $unit in
        sendgate-control)
            serves "$1" control || return 1
            checks "$1" || return 1
            ;;
        # One that waited for the ledger before waits for it afterwards.
        sendgate-gateway) [ "$READY" = no ] || serves "$1" gateway || return 1 ;;
        esac
    done
}

serves() {
    answers "$1" "$2" "$PATIENCE" && return 0
    WHY="$2 of release $1 is not ready after $PATIENCE s"
    told_by "sendgate-$2"
    return 1
}

# What was wrong before the move is not its fault.
checks() {
    as_account "$1" check && return 0
    if [ "$CHECKED" != 0 ]; then
        warn 'sendgate check names problems (above), as it did before'
        return 0
    fi
    WHY="sendgate check of release $1 names problems (above) that were not there before"
    return 1
}

# Of the host as it is before anything is moved; a run that was broken off has it noted.
state_before() {
    if broken_off; then
        ACTIVE=$(noted active) READY=$(noted ready) CHECKED=$(noted checked)
        return 0
    fi
    ACTIVE=$(active_units) READY=no CHECKED=0
    [ -f "$CONFIG" ] || return 0
    case "$ACTIVE" in *sendgate-gateway*) if answers "$FROM" gateway 1 2>/dev/null; then READY=yes; fi ;; esac
    if has_role control; then as_account "$FROM" check >/dev/null 2>&1 || CHECKED=$?; fi
}

# What failed is taken back; it ends here. 1: the release of before serves. 3: it does not, either.
take_back() {
    failed=$WHY
    say "$failed: going back to release $FROM" >&2
    if move_to "$FROM"; then
        forget
        fail "$failed. Release $FROM is in use again, as before; $NAME stays in $OPT/releases to be looked at$1"
    fi
    printf 'sendgate-setup: %s. And going back to %s failed: %s. Mend that, and run "back"\n' "$failed" "$FROM" "$WHY" >&2
    exit 3
}

finish() {
    act "$OPT/previous is release $FROM" point previous "releases/$FROM"
    forget
    prune_releases
    if [ "$DRY" = no ]; then say "release $1 is in use; \`back\` goes to $FROM"; fi
}
