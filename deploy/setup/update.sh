# To the release of this source tree; to one that was before.
# shellcheck shell=sh

update_here() {
    look_at_host
    look_at_python
    name_release
    FROM=$(current || :)
    [ -n "$FROM" ] || fail 'nothing is installed here: "install" does that'
    if broken_off; then
        FROM=$(noted from)
        say "a move from $FROM to $(noted to) was broken off: it goes on"
    elif [ "$FROM" = "$NAME" ]; then
        say "release $NAME is in use already"
        return 0
    fi
    installed_roles
    look_at_units
    [ -f "$RELEASE/.whole" ] || look_at_disk
    lock
    make_release
    state_before
    note "from=$FROM" "to=$NAME" "active=$ACTIVE" "ready=$READY" "checked=$CHECKED"
    guard
    migrated=''
    if [ -f "$CONFIG" ]; then
        act "release $NAME reads $CONFIG" reads_settings || take_back ''
        if has_role control; then update_database; fi
    fi
    move_to "$NAME" || take_back "$migrated"
    finish "$NAME"
}

reads_settings() {
    code=0
    as_account "$NAME" check >/dev/null 2>"$OPT/.said" || code=$?
    # 1 is about the world: the schema is not there yet, a server does not greet.
    [ "$code" -lt 2 ] && return 0
    cat "$OPT/.said" >&2
    WHY="release $NAME does not take the settings (above)"
    return 1
}

update_database() {
    if [ "$WAY_BACK" = yes ]; then
        act 'see that release '"$FROM"' runs behind the migrations, too' as_account "$NAME" migrate --back || {
            WHY="release $FROM would not start behind these migrations (above), so that nothing could go back by itself: --no-way-back goes on"
            take_back ''
        }
    fi
    if [ "$BACKUP" = yes ]; then
        file=$BACKUPS/before-$NAME-$(date -u +%Y%m%dT%H%M%SZ).backup
        act "back up into $file" as_account "$FROM" backup make "$file" --key "$KEY" || {
            WHY='the back-up before the migration failed (above): --no-backup goes on without one'
            take_back ''
        }
    fi
    act 'sendgate migrate' as_account "$NAME" migrate || {
        WHY='the migration failed (above); it is one transaction: the database is as it was'
        take_back ''
    }
    migrated='; the migrations stay, which only add'
    [ "$WAY_BACK" = yes ] || migrated='; the migrations stay: if it does not start, restore the back-up (deploy/UPGRADING.md)'
}

back_here() {
    look_at_host
    here=$(current || :)
    [ -n "$here" ] || fail 'nothing is installed here'
    target=${TO:-$(if broken_off; then noted from; else before || :; fi)}
    [ -n "$target" ] || fail 'there is no release of before: name one (--to NAME; "status" has them)'
    whole "$target" || fail "release $target is not there, or not whole: \`status\` has those that are"
    if [ "$target" = "$here" ] && ! broken_off; then
        say "release $target is in use already"
        return 0
    fi
    installed_roles
    lock
    NAME=$target FROM=$here RELEASE=$OPT/releases/$target
    state_before
    if [ -f "$CONFIG" ]; then
        act "release $NAME reads $CONFIG" reads_settings || fail "$WHY: nothing was changed"
        if has_role control; then
            act "see that release $NAME runs on the schema" as_account "$NAME" migrate --check ||
                fail "release $NAME does not run on the schema (above): restore the back-up from before (deploy/UPGRADING.md). Nothing was changed"
        fi
    fi
    note "from=$FROM" "to=$NAME" "active=$ACTIVE" "ready=$READY" "checked=$CHECKED"
    guard
    if [ "$FROM" = "$NAME" ]; then
        # The update was broken off before its link: what it restarted meanwhile is restarted again.
        move_to "$NAME" || fail "$WHY: mend that, and run \`back\` again"
        forget
        say "release $NAME is in use"
        return 0
    fi
    move_to "$NAME" || take_back ''
    finish "$NAME"
}

status_here() {
    here=$(current || :)
    say "in use: ${here:-none}; before: $(before || echo none)"
    for folder in "$OPT"/releases/*/; do
        [ -d "$folder" ] || continue
        name=$(basename "$folder")
        if whole "$name"; then say "release $name"; else say "release $name: not whole (a run was broken off)"; fi
    done
    for unit in $SERVING; do
        [ -f "$UNITS/$unit.service" ] || continue
        say "$unit: $(systemctl is-active "$unit"), release $(release_of "$unit")"
    done
    if broken_off; then
        say "broken off: from $(noted from) to $(noted to); \`update\` goes on, \`back\` takes it back"
        exit 1
    fi
}
