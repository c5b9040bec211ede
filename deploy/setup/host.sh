# What a host needs besides a release: account, folders, logs, nginx, configuration.
# shellcheck shell=sh

has_role() {
    case "$ROLES " in *" $1 "*) ;; *) return 1 ;; esac
}

make_account() {
    getent passwd "$ACCOUNT" >/dev/null ||
        act "make the user $ACCOUNT" useradd --system --home-dir /nonexistent --no-create-home \
            --shell /usr/sbin/nologin --user-group "$ACCOUNT"
    if has_role agent && ! getent group pmta >/dev/null; then
        warn 'there is no group pmta, which reads what PowerMTA writes: install PowerMTA before the agent is started'
    fi
}

# folder PATH OWNER MODE: made, or given these.
folder() {
    if [ -d "$1" ] && [ "$(stat -c '%U:%G %a' "$1")" = "$2 $3" ]; then return 0; fi
    act "folder $1, $2, mode $3" install -d -o "${2%:*}" -g "${2#*:}" -m "$3" "$1"
}

make_folders() {
    folder "$ETC" "root:$ACCOUNT" 750
    folder "$ETC/tls" "root:$ACCOUNT" 750
    folder "$ETC/credentials" root:root 700
    has_role control || return 0
    folder "$BACKUPS" "$ACCOUNT:$ACCOUNT" 700
    # Whoever has it opens every back-up, and nobody does without it.
    [ -f "$KEY" ] || act "make $KEY: keep a copy of it on another host" make_key
}

make_key() {
    rm -f "$KEY.new"
    "$RELEASE/.venv/bin/sendgate" backup key "$KEY.new" >/dev/null &&
        chown "$ACCOUNT:$ACCOUNT" "$KEY.new" && chmod 0600 "$KEY.new" && mv "$KEY.new" "$KEY"
}

# What is there is the operator's, and stays.
sample() {
    [ -e "$2" ] || act "install $2" install -m 0644 "$1" "$2"
}

install_logrotate() {
    if [ -d /etc/logrotate.d ]; then sample "$SOURCE/deploy/logrotate/sendgate" /etc/logrotate.d/sendgate; fi
}

# Only one that nginx takes: a file of ours must not keep it from its next start.
install_nginx() {
    [ -n "$NGINX" ] || return 0
    [ -d /etc/nginx/conf.d ] || fail '/etc/nginx/conf.d is not there: install nginx (Debian: apt-get install nginx-light)'
    file=/etc/nginx/conf.d/sendgate.conf
    if [ -e "$file" ]; then say "$file is there, and stays"; return 0; fi
    act "install $file for $NGINX" put_nginx "$file"
}

put_nginx() {
    sed "s/control\.example\.com/$NGINX/g" "$SOURCE/deploy/nginx/sendgate.conf" >"$1"
    if said=$(nginx -t 2>&1); then
        say 'nginx takes it: systemctl reload nginx, and control.proxy_networks = ["127.0.0.1"]'
    else
        mv "$1" "$1.refused"
        warn "nginx refuses it, so it lies in $1.refused: $(printf '%s' "$said" | grep -m 1 emerg)"
    fi
}

configure() {
    if [ -n "$ANSWERS" ]; then
        act "write $CONFIG and $ENVIRONMENT from $ANSWERS" answered
        return 0
    fi
    if has_role control || has_role gateway; then
        [ -f "$CONFIG" ] || say "next: $OPT/.venv/bin/sendgate init (asks, and writes $CONFIG and $ENVIRONMENT); then this again with --start"
    fi
    if has_role agent && [ ! -f "$ETC/agent.toml" ]; then
        say "next: $ETC/agent.toml and $ETC/agent.token, as deploy/vps2-pmta/README.md says; then this again with --start"
    fi
}

# Its exit code 1 says that something is left to do: before the first start, there is.
answered() {
    code=0
    "$RELEASE/.venv/bin/sendgate" init --answers "$ANSWERS" --to "$ETC" || code=$?
    if [ "$code" -gt 1 ] || [ ! -f "$CONFIG" ] || [ ! -f "$ENVIRONMENT" ]; then
        fail "the answers were refused (above): $ANSWERS"
    fi
}

# as_account RELEASE WORDS…: the command of a release, as the units have it.
as_account() {
    program=$OPT/releases/$1/.venv/bin/sendgate
    shift
    (cd / && exec runuser -u "$ACCOUNT" -- env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 \
        SENDGATE_DOTENV="$ENVIRONMENT" "$program" "$@" --config "$CONFIG" 9>&-)
}
