# Words, options and their bounds; the places on the host.
# shellcheck shell=sh
# shellcheck disable=SC2034  # other files read them

OPT=/opt/sendgate
ETC=/etc/sendgate
UNITS=/etc/systemd/system
BACKUPS=/var/backups/sendgate
KEY=$ETC/backup.key
CONFIG=$ETC/sendgate.toml
ENVIRONMENT=$ETC/sendgate.env
ACCOUNT=sendgate
SOURCE=$(dirname "$HERE")

usage() {
    cat <<'USAGE'
Usage: deploy/sendgate-setup install|update|back|status [options]

install, of the source tree that this script lies in:
  --role ROLE       control, gateway or agent (PowerMTA's host); repeatable  [control and gateway]
  --answers FILE    write the configuration: `sendgate init --answers FILE`
  --start           migrate, start what is installed, see that it serves
  --nginx NAME      nginx in front of control, under this name
update, to the version of the source tree; goes back by itself when something fails:
  --no-backup       make none before it: you have one
  --no-way-back     although the version of before will not run on the new schema
install and update:
  --name NAME       of the release  [its version]
  --python FILE     Python 3.11 or newer with venv  [/usr/bin/python3]
  --wheels FOLDER   take every distribution from there, and ask no index
  --no-compile      do not compile, although there is a compiler
  --any-system      although this is neither Debian 12 nor 13
back:
  --to NAME         another release than the one of before
update and back:
  --keep N          releases kept, 2 to 100  [3]
  --watch SECONDS   for which what was started must go on, 1 to 600  [10]
  --patience SECONDS  for the gateway to be ready, 1 to 3600  [120]
all:
  --dry-run         say what would be done
USAGE
}

misused() {
    printf 'sendgate-setup: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

# number OPTION VALUE LEAST MOST
number() {
    case $2 in
    '' | *[!0-9]* | ??????*) misused "$1 $2: is no whole number from $3 to $4" ;;
    esac
    if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
        misused "$1 $2: is not within $3 to $4"
    fi
}

# What one word cannot use is no option of it.
only() {
    case " $2 " in
    *" $WORD "*) ;;
    *) misused "$1 is no option of $WORD" ;;
    esac
}

options() {
    WORD=${1:-}
    case $WORD in
    install | update | back | status) shift ;;
    --help | -h | help) usage && exit 0 ;;
    '') misused 'says no word' ;;
    *) misused "$WORD is no word" ;;
    esac
    DRY=no ROLES='' ANSWERS='' START=no NGINX='' BACKUP=yes WAY_BACK=yes NAME='' TO=''
    PYTHON=/usr/bin/python3 WHEELS='' COMPILE=yes ANY_SYSTEM=no KEEP=3 WATCH=10 PATIENCE=120
    while [ $# -gt 0 ]; do
        option=$1
        shift
        case $option in
        --dry-run) DRY=yes && continue ;;
        --start) only "$option" install && START=yes && continue ;;
        --no-backup) only "$option" update && BACKUP=no && continue ;;
        --no-way-back) only "$option" update && WAY_BACK=no && continue ;;
        --no-compile) only "$option" 'install update' && COMPILE=no && continue ;;
        --any-system) only "$option" 'install update' && ANY_SYSTEM=yes && continue ;;
        --help | -h) usage && exit 0 ;;
        esac
        case $option in
        --role | --answers | --nginx | --name | --python | --wheels | --to | --keep | --watch | --patience)
            [ $# -gt 0 ] || misused "$option: says nothing behind it"
            value=$1
            shift
            ;;
        *) misused "$option is no option" ;;
        esac
        case $option in
        --role)
            only "$option" install
            case $value in
            control | gateway | agent) ROLES="$ROLES $value" ;;
            *) misused "--role $value: is none of control, gateway, agent" ;;
            esac
            ;;
        --answers)
            only "$option" install
            [ -r "$value" ] || misused "--answers $value: cannot be read"
            ANSWERS=$value
            ;;
        --nginx)
            only "$option" install
            case $value in
            *[!a-zA-Z0-9.-]* | '' | -*) misused "--nginx $value: is no host name" ;;
            esac
            NGINX=$value
            ;;
        --name | --to)
            case $value in
            *[!a-zA-Z0-9.+_-]* | '' | .* | -*) misused "$option $value: is no name of a folder" ;;
            esac
            if [ "$option" = --to ]; then only --to back && TO=$value; else only --name 'install update' && NAME=$value; fi
            ;;
        --python) only "$option" 'install update' && PYTHON=$value ;;
        --wheels)
            only "$option" 'install update'
            [ -d "$value" ] || misused "--wheels $value: is no folder"
            WHEELS=$(cd "$value" && pwd)
            ;;
        --keep) only "$option" 'update back' && number "$option" "$value" 2 100 && KEEP=$value ;;
        --watch) only "$option" 'update back' && number "$option" "$value" 1 600 && WATCH=$value ;;
        --patience) only "$option" 'update back' && number "$option" "$value" 1 3600 && PATIENCE=$value ;;
        esac
    done
    [ -n "$ROLES" ] || ROLES=' control gateway'
}
