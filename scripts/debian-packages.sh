#!/usr/bin/env bash
# Installs what debian-packages.txt names and this machine lacks, where that is allowed (root and apt-get).
# Elsewhere it does nothing and succeeds: the tests that need a missing package skip by name.
set -euo pipefail

list="$(dirname "${BASH_SOURCE[0]}")/../debian-packages.txt"

if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    exit 0
fi

missing=()
while read -r package; do
    status="$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)"
    [[ "$status" == installed ]] || missing+=("$package")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list")

policy=/usr/sbin/policy-rc.d # says whether a package's service may be started
if [[ ${#missing[@]} -gt 0 ]]; then
    export DEBIAN_FRONTEND=noninteractive
    if [[ ! -e "$policy" ]]; then # tests start what they need
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    fi
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
        echo "could not install the Debian packages: ${missing[*]}; tests that need them will skip" >&2
    fi
fi
