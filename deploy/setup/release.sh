# A release: a folder with a venv, whole or not there.
# shellcheck shell=sh

# What the product is made of, and what builds it (in requirements.lock, with hashes).
PARTS='policy settings gateway control loadtest pyproject.toml setup.py README.md deploy/requirements.lock'
TOOLS='setuptools mypy mypy-extensions typing-extensions pathspec librt ast-serialize'

version_of_source() {
    [ -f "$SOURCE/pyproject.toml" ] ||
        fail "$SOURCE is no source tree (an installed release has none): run the script of the version that shall be installed"
    sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/pyproject.toml" | head -n 1
}

# Of every file that matters: the same name never means two things.
digest_of_source() {
    # shellcheck disable=SC2086
    (cd "$SOURCE" && find $PARTS deploy -type f ! -name '*.pyc' ! -name '*.so' -print0 |
        LC_ALL=C sort -zu | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

name_release() {
    VERSION=$(version_of_source)
    NAME=${NAME:-$VERSION}
    RELEASE=$OPT/releases/$NAME
}

# Made, if it is not there. What a kill left is made anew: a venv cannot be moved, so the mark
# `.whole` is its name, and is written when everything else is on the disk.
make_release() {
    digest=$(digest_of_source)
    if [ -f "$RELEASE/.whole" ]; then
        [ "$(cat "$RELEASE/.whole")" = "$digest" ] ||
            fail "release $NAME is there, made of other files: give this one a name of its own (--name $NAME-2)"
        say "release $NAME is there"
        return 0
    fi
    act "make release $NAME in $RELEASE" build_release "$digest"
}

build_release() {
    rm -rf "$RELEASE"
    mkdir -p "$RELEASE/.source/deploy"
    if ! assemble; then
        rm -rf "$RELEASE"
        fail "release $NAME could not be made (above): nothing else was changed"
    fi
    rm -rf "$RELEASE/.source" "$RELEASE/.tools" "$RELEASE/.wheel"
    sync -f "$RELEASE"
    printf '%s\n' "$1" >"$RELEASE/.whole.new"
    sync "$RELEASE/.whole.new"
    mv "$RELEASE/.whole.new" "$RELEASE/.whole"
}

# Called where `set -e` does not act: each line says what follows from its failure.
assemble() {
    for part in $PARTS; do
        cp -R "$SOURCE/$part" "$RELEASE/.source/$part" || return 1
    done
    cp -R "$SOURCE/deploy" "$RELEASE/deploy" && cp "$SOURCE/README.md" "$SOURCE/CHANGELOG.md" "$RELEASE" || return 1
    find "$RELEASE/.source" \( -name __pycache__ -o -name '*.so' \) -prune -exec rm -rf {} + || return 1
    tools_of "$SOURCE/requirements.lock" >"$RELEASE/.source/tools.lock" || return 1
    # What installs is no part of what is installed.
    "$PYTHON" -m venv --without-pip "$RELEASE/.venv" && "$PYTHON" -m venv "$RELEASE/.tools" || return 1
    pip_of .venv install --no-deps --require-hashes -r "$RELEASE/.source/deploy/requirements.lock" || return 1
    pip_of .tools install --no-deps --require-hashes -r "$RELEASE/.source/tools.lock" || return 1
    speed=0
    if [ "$COMPILE" = yes ] && compiler; then speed=1; else say 'not compiled: two thirds of the speed (Debian: apt-get install gcc python3-dev)'; fi
    SENDGATE_COMPILE=$speed pip_of .tools wheel --no-deps --no-build-isolation \
        --wheel-dir "$RELEASE/.wheel" "$RELEASE/.source" || return 1
    pip_of .venv install --no-deps --no-index "$RELEASE"/.wheel/sendgate-*.whl || return 1
    pip_of .venv check || return 1
    said=$("$RELEASE/.venv/bin/sendgate" --version) || return 1
    [ "$said" = "sendgate $VERSION" ] || { say "it says $said, and is of $VERSION" && return 1; }
}

pip_of() {
    venv=$1 verb=$2
    shift 2
    if [ -n "$WHEELS" ] && [ "$verb" != check ]; then
        set -- --no-index --find-links "$WHEELS" "$@"
    fi
    "$RELEASE/.tools/bin/python" -m pip --python "$RELEASE/$venv/bin/python" "$verb" --quiet \
        --disable-pip-version-check "$@" 9>&-
}

# The stanzas of what builds, out of the lock of everything.
tools_of() {
    awk -v wanted="$TOOLS" '
        BEGIN { split(wanted, names, " "); for (n in names) take[names[n]] = 1 }
        /^[a-zA-Z0-9]/ { split($0, name, /[=\[ ;]/); on = name[1] in take }
        on { print }
    ' "$1"
}

compiler() {
    command -v "${CC:-cc}" >/dev/null && "$PYTHON" -c \
        'import pathlib, sysconfig; (pathlib.Path(sysconfig.get_path("include")) / "Python.h").stat()' 2>/dev/null
}

# The release in use; nothing where none is.
current() { [ -L "$OPT/current" ] && basename "$(readlink "$OPT/current")"; }

whole() { [ -f "$OPT/releases/$1/.whole" ]; }

# One rename: whoever starts a unit meanwhile finds the one or the other.
switch_to() {
    point current "releases/$1" && point .venv current/.venv && point deploy current/deploy
}

point() {
    [ "$(readlink "$OPT/$1" 2>/dev/null)" = "$2" ] && return 0
    rm -f "$OPT/.link.new" && ln -s "$2" "$OPT/.link.new" && mv -T "$OPT/.link.new" "$OPT/$1"
}

# Old releases, but never one that is in use, was before, or still runs somewhere (a gateway that drains).
prune_releases() {
    count=0
    # shellcheck disable=SC2012,SC2045  # names are of our own bounds (options.sh)
    for name in $(ls -t "$OPT/releases"); do
        whole "$name" || continue
        count=$((count + 1))
        [ "$count" -gt "$KEEP" ] || continue
        case $name in "$(current)" | "$(before)") continue ;; esac
        runs_somewhere "$name" || act "remove release $name (--keep $KEEP)" rm -rf "$OPT/releases/$name"
    done
}

before() { [ -L "$OPT/previous" ] && basename "$(readlink "$OPT/previous")"; }

runs_somewhere() {
    # One that ends meanwhile is none.
    for process in /proc/[0-9]*; do
        tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -q "^$OPT/releases/$1/" && return 0
    done
    return 1
}
