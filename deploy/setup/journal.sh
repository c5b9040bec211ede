# What a move was about to do, kept until it is done: a kill in its midst is told by it.
# shellcheck shell=sh

JOURNAL=$OPT/journal

# note NAME=VALUE…: all of it, in one step.
note() {
    [ "$DRY" = no ] || return 0
    printf '%s\n' "$@" >"$JOURNAL.new" && sync "$JOURNAL.new" && mv "$JOURNAL.new" "$JOURNAL" && sync "$OPT"
}

noted() { sed -n "s/^$1=//p" "$JOURNAL" 2>/dev/null; }

broken_off() { [ -f "$JOURNAL" ]; }

forget() { [ "$DRY" = yes ] || rm -f "$JOURNAL"; }

# From here on a signal leaves something to finish, and says so.
guard() {
    trap 'warn "broken off: run \`update\` again, or \`back\`"; exit 130' INT TERM HUP
}
