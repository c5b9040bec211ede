# Units: installed as a release has them, restarted, watched.
# shellcheck shell=sh
# shellcheck disable=SC2034  # moving.sh reads WHY

units_of_role() {
    case $1 in
    control) echo 'sendgate-control.service sendgate-backup.service sendgate-backup.timer sendgate-drill.service sendgate-drill.timer' ;;
    gateway) echo sendgate-gateway.service ;;
    agent) echo sendgate-agent.service ;;
    esac
}

# What an earlier run put there says which host this is.
installed_roles() {
    ROLES=''
    for role in control gateway agent; do
        if [ -f "$UNITS/sendgate-$role.service" ]; then ROLES="$ROLES $role"; fi
    done
    [ -n "$ROLES" ] || fail "$UNITS has no unit of Sendgate: install first"
}

# A unit that somebody changed is no unit of ours: nothing would tell him that it is gone.
look_at_units() {
    for role in $ROLES; do
        for unit in $(units_of_role "$role"); do
            file=$UNITS/$unit
            [ -f "$file" ] || continue
            known=no
            for ours in "$SOURCE/deploy/systemd/$unit" "$OPT"/releases/*/deploy/systemd/"$unit"; do
                if cmp -s "$file" "$ours"; then known=yes; fi
            done
            [ "$known" = yes ] || fail "$file was changed by hand: move the changes to \`systemctl edit $unit\`, and put deploy/systemd/$unit in its place"
        done
    done
}

# install_units FOLDER: as they are in there; one that is not, was not in that version.
install_units() {
    for role in $ROLES; do
        for unit in $(units_of_role "$role"); do
            if [ ! -f "$1/$unit" ]; then
                [ ! -f "$UNITS/$unit" ] || act "remove $UNITS/$unit" drop_unit "$unit" || return 1
            elif ! cmp -s "$1/$unit" "$UNITS/$unit"; then
                act "install $UNITS/$unit" put_unit "$1/$unit" "$UNITS/$unit" || return 1
            fi
        done
    done
    act 'systemctl daemon-reload' systemctl daemon-reload
}

put_unit() {
    install -m 0644 "$1" "$2.new" && mv "$2.new" "$2"
}

drop_unit() {
    systemctl disable --now "$1" && rm -f "$UNITS/$1"
}

# The units that serve, in the order in which they are restarted: control reads what is published,
# gateways drain and come last.
SERVING='sendgate-control sendgate-gateway sendgate-agent'

active_units() {
    for unit in $SERVING; do
        # One that is about to be started again after a failure counts: it shall run.
        case $(systemctl show --property ActiveState --value "$unit") in
        active | activating | reloading) printf '%s ' "$unit" ;;
        esac
    done
}

main_pid() { systemctl show --property MainPID --value "$1"; }

# The release that a unit's process was started from: its interpreter is the one of its venv.
release_of() {
    pid=$(main_pid "$1")
    [ "$pid" != 0 ] || return 0
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n "1s|^$OPT/releases/\([^/]*\)/.*|\1|p"
}

# restarted UNIT RELEASE: it runs from there, and goes on; else WHY says what happened.
restarted() {
    if systemctl is-active --quiet "$1" && [ "$(release_of "$1")" = "$2" ]; then
        return 0
    fi
    say "restart $1"
    systemctl reset-failed "$1" 2>/dev/null || :
    if ! systemctl restart "$1" 9>&-; then
        WHY="$1 of release $2 did not start"
        told_by "$1"
        return 1
    fi
    goes_on "$1" || return 1
    if [ "$(release_of "$1")" != "$2" ]; then
        WHY="$1 runs from release $(release_of "$1"), and not from $2: its unit starts something else (\`systemctl cat $1\`)"
        return 1
    fi
}

goes_on() {
    pid=$(main_pid "$1") seconds=$WATCH
    while [ "$seconds" -gt 0 ]; do
        sleep 1
        seconds=$((seconds - 1))
        if ! systemctl is-active --quiet "$1" || [ "$(main_pid "$1")" != "$pid" ]; then
            WHY="$1 ended within $WATCH s of its start"
            told_by "$1"
            return 1
        fi
    done
}

told_by() {
    say "what $1 said last:" >&2
    journalctl --unit "$1" --lines 15 --no-pager --output cat >&2 || :
}

# answers RELEASE NAME SECONDS: whether control or the gateway says that it is ready, by its own port.
answers() {
    (cd / && exec runuser -u "$ACCOUNT" -- env -i PATH="$PATH" SENDGATE_DOTENV="$ENVIRONMENT" \
        "$OPT/releases/$1/.venv/bin/python" -P "$HERE/setup/ready.py" "$2" "$3" "$CONFIG" 9>&-)
}
