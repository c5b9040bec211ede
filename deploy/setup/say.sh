# What is said, and what is done or would be.
# shellcheck shell=sh

say() { printf '%s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# Refused or failed, with what to do; nothing behind it is done.
fail() {
    printf 'sendgate-setup: %s\n' "$*" >&2
    exit 1
}

# act WHAT COMMAND…: says what is done and does it; with --dry-run it says that it would.
act() {
    what=$1
    shift
    if [ "$DRY" = yes ]; then
        say "would: $what"
        return 0
    fi
    say "$what"
    "$@"
}
