#!/bin/bash
# Unpacks a source package of the distribution, its patches applied, into build/third_party/NAME/src.
# Usage: fetch.sh NAME   (NAME: newlib lwip bearssl lua linenoise)
#
# apt fetches and checks the signatures; it runs with lists and cache of its own under build/third_party/apt, made from the
# machine's own package sources with source packages switched on, so that nothing of the machine's is changed and no root is
# needed. Safe to run by several builds at once.
set -eu -o pipefail

name=${1:?usage: fetch.sh NAME}
third=build/third_party
apt=$PWD/$third/apt

# The distribution's name for each package.
package_of() {
    case $1 in
    newlib | lwip | bearssl) echo "$1" ;;
    lua) echo lua5.4 ;;
    linenoise) echo jimtcl ;; # carries linenoise.c in its tree; there is no package of its own
    *) echo "fetch: no third-party source called '$1' is known" >&2; return 1 ;;
    esac
}

# The machine's entries for its own release, as source entries. Reads both formats of apt.
source_entries() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n "s/^deb \(.* $codename[-a-z]* .*\)/deb-src \1/p"
    /usr/bin/python3 - "$codename" /etc/apt/sources.list.d/*.sources <<'EOF'
import os, sys
for path in filter(os.path.exists, sys.argv[2:]):
    for stanza in open(path, encoding='utf-8').read().split('\n\n'):
        fields = {}
        for line in stanza.splitlines():
            if ':' in line and not line.startswith(('#', ' ')):
                key, _, value = line.partition(':')
                fields[key.lower()] = value.split()
        suites = [suite for suite in fields.get('suites', []) if suite.split('-')[0] == sys.argv[1]]
        if not suites or fields.get('enabled') == ['no']:
            continue
        signed = fields.get('signed-by')
        option = f'[signed-by={signed[0]}] ' if signed and signed[0].startswith('/') else ''
        for uri in fields['uris']:
            for suite in suites:
                print('deb-src', option + uri, suite, *fields['components'])
EOF
}

apt_get() {
    apt-get -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

prepare_apt() {
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    source_entries | sort -u >"$apt/sources.list.new"
    if [ ! -s "$apt/sources.list.new" ]; then
        echo "fetch: no package sources for this release were found under /etc/apt" >&2
        return 1
    fi
    cmp -s "$apt/sources.list.new" "$apt/sources.list" 2>/dev/null && [ -e "$apt/updated" ] && return
    mv "$apt/sources.list.new" "$apt/sources.list"
    apt_get update && touch "$apt/updated"
}

# In a folder of its own, moved into place only when it is whole.
unpack() {
    local package=$1 work=$third/$name.new
    rm -rf "$work"
    mkdir -p "$work"
    (cd "$work" && apt_get --download-only source "$package")
    dpkg-source --no-check -x "$work"/*.dsc "$work/src" # apt has checked every file against the signed index
    mkdir -p "$third/$name"
    rm -rf "$third/$name/src"
    mv "$work/src" "$third/$name/src"
    basename "$work"/*.dsc .dsc >"$third/$name/version"
    rm -rf "$work"
    touch "$third/$name/src.stamp"
}

main() {
    local package
    package=$(package_of "$name")
    mkdir -p "$third"
    exec 9>"$third/fetch.lock"
    flock 9
    [ ! -e "$third/$name/src.stamp" ] || return 0
    echo "fetch: $name (source package $package)"
    { prepare_apt && unpack "$package"; } >"$third/$name.log" 2>&1 || {
        tail -n 20 "$third/$name.log" >&2
        echo "fetch: $name could not be fetched; the whole output is in $third/$name.log" >&2
        return 1
    }
}

main
