#!/bin/sh
# Whether MailWizz' delivery server can reach Sendgate from this host: DNS, port, TLS, greeting, login.
# Looks, and changes nothing: no message is begun.
#
#   sh check.sh HOST PORT implicit|starttls|none [LOGIN <FILE-WITH-THE-PASSWORD]
#
# HOST, PORT and LOGIN as in the delivery server; implicit is MailWizz' "TLS", starttls its "STARTTLS".
# CA=FILE names certificates that vouch for Sendgate's own where this host does not know who does.
# Exit code: 0 all is well, 1 something is wrong (each with what to do), 2 it was not asked rightly.
set -u

ok() { printf 'ok: %s\n' "$*"; }
wrong() {
    printf 'wrong: %s\n' "$*" >&2
    exit 1
}
misused() {
    printf 'check.sh: %s\nusage: sh check.sh HOST PORT implicit|starttls|none [LOGIN <FILE-WITH-THE-PASSWORD]\n' "$*" >&2
    exit 2
}

case $# in 3 | 4) ;; *) misused 'takes three words, or four' ;; esac
host=$1 port=$2 tls=$3 login=${4:-}
case $host in *[!a-zA-Z0-9.:-]* | '' | -*) misused "$host is no host" ;; esac
case $port in *[!0-9]* | '' | ??????*) misused "$port is no port" ;; esac
if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then misused "$port is no port"; fi
case $login in *[!a-zA-Z0-9._@+-]*) misused "$login is no login" ;; esac
command -v curl >/dev/null || wrong 'curl is not here: apt-get install curl'
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT

case $tls in
implicit) url=smtps://$host:$port/ options=--ssl-reqd ;;
starttls) url=smtp://$host:$port/ options=--ssl-reqd ;;
none) url=smtp://$host:$port/ options='' ;;
*) misused "$tls is none of implicit, starttls, none" ;;
esac

# ask OPTIONS…: greeting, EHLO, TLS where wanted, AUTH where given, NOOP, QUIT.
ask() {
    # shellcheck disable=SC2086
    curl --disable --silent --show-error --verbose --connect-timeout 10 --max-time 30 $options \
        ${CA:+--cacert "$CA"} --request NOOP --url "$url" "$@" >"$said" 2>&1
}

if [ -n "$login" ]; then
    # By curl's configuration on standard input: an argument is seen by whoever lists processes.
    IFS= read -r password || [ -n "${password:-}" ] || misused 'the password is read from standard input, one line'
    quoted=$(printf '%s' "$login:$password" | sed 's/[\\"]/\\&/g')
    code=0
    printf 'user = "%s"\n' "$quoted" | ask --config - || code=$?
else
    code=0
    ask || code=$?
fi

reply=$(grep -E '^< [45][0-9][0-9]' "$said" | tail -n 1 | cut -c 3- | tr -d '\r')
case $code in
0) ;;
6) wrong "DNS: $host has no address: publish an A record, or write the address into the delivery server" ;;
7) wrong "port: nobody listens at $host:$port, or a firewall refuses: is the gateway up (systemctl status sendgate-gateway), and this host let in?" ;;
28) wrong "port: $host:$port does not answer within 30 s: a firewall drops what this host sends, or the other kind of TLS is spoken there" ;;
35) wrong "TLS: what listens at $host:$port speaks none from the first octet: is the listener's \`tls\` implicit, and MailWizz' setting the same?" ;;
51 | 60) wrong "TLS: the certificate does not vouch for $host ($(grep -i -m 1 'certificate problem\|subject name' "$said" | cut -c 1-120)): use the name in it, or renew it, or CA=FILE" ;;
64) wrong "TLS: the listener at $host:$port offers no STARTTLS: \`tls = \"starttls\"\` in sendgate.toml, or another setting in MailWizz" ;;
67) wrong "login: $login was refused (${reply:-no reply}): see \`sendgate login list\`, and \`gateway.plain_auth_networks\` where there is no TLS" ;;
8 | 56) wrong "greeting: $host:$port closes the connection (${reply:-no reply}): the gateway has no plan yet, is full, or ends" ;;
*) wrong "curl ended with $code: $(grep '^curl:' "$said" | head -n 1)" ;;
esac
ok "DNS and port: $host:$port answers"
greeting=$(grep -m 1 '^< 220' "$said" | cut -c 3- | tr -d '\r')
ok "greeting: $greeting"
if [ "$tls" != none ]; then
    ok "TLS: $(grep -m 1 'SSL connection using' "$said" | sed 's/^\* *//')"
    ends=$(sed -n 's/^\* *expire date: //p' "$said" | head -n 1)
    left=$((($(date -d "$ends" +%s) - $(date +%s)) / 86400))
    [ "$left" -ge 14 ] || wrong "TLS: the certificate ends in $left days ($ends): renew it, and \`systemctl reload sendgate-gateway\`"
    ok "TLS: the certificate vouches for $host, and ends in $left days"
fi
grep -q '^< 250[- ]AUTH ' "$said" || wrong 'login: none is offered: without TLS, this host has to be in gateway.plain_auth_networks; or the gateway has no plan (/readyz)'
if [ -n "$login" ]; then ok "login: $login is let in"; else ok 'login: offered (name it, and it is tried)'; fi
