# Finds what the tests need, and installs it where that is possible. Sourced
# by tests/run.

# command | Debian package | what for | the step that needs it (`any`: all)
NEEDS='
cc           | gcc libc6-dev   | linking, and compiling the bundled SQLite | any
python3      | python3         | reading who imports whom, and SECURITY.md | arrows promises
chromium     | chromium        | the browser tests                         | browser
chromedriver | chromium-driver | the browser tests                         | browser
redis-server | redis-server    | the tests of the Redis store              | servers
redis-cli    | redis-tools     | the tests of the Redis store              | servers versions
pip          | python3-pip     | servers of other versions                 | versions
openssl      | openssl         | certificates for the tests over TLS       | servers
postgres     | postgresql      | the tests of the Postgres store           | servers versions
pgbouncer    | pgbouncer       | the tests of the Postgres store           | servers versions
mariadbd     | mariadb-server  | the tests of the MySQL store              | servers
'

# Where the tests look too: a variable that names the program, then Debian's
# name, then others in use.
found() {
    case $1 in
        chromium) [[ -x ${CHROMIUM-} ]] || command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        chromedriver) [[ -x ${CHROMEDRIVER-} ]] || command -v chromedriver ;;
        postgres) [[ -x ${POSTGRES-} ]] || compgen -G '/usr/lib/postgresql/*/bin/postgres' ;;
        pgbouncer) [[ -x ${PGBOUNCER-} ]] || command -v pgbouncer || [[ -x /usr/sbin/pgbouncer ]] ;;
        mariadbd) [[ -x ${MARIADBD-} ]] || command -v mariadbd || [[ -x /usr/sbin/mariadbd ]] ;;
        pip) [[ -z $(missing_versions) ]] || python3 -m pip --version ;;
        redis-server) [[ -x ${SESSION_TESTS_REDIS-} ]] || command -v redis-server || command -v valkey-server ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# Whether one of these steps is to run, now or, where only `setup` was asked for,
# later; `any` is.
prepares() {
    [[ ${wanted[*]-} == setup ]] && return 0
    local step
    for step in $1; do
        [[ $step == any ]] || wants "$step" || continue
        return 0
    done
    return 1
}

# Prints `command|packages|purpose` of everything that is missing.
missing() {
    local command packages purpose step
    while IFS='|' read -r command packages purpose step; do
        command=${command// /}
        [[ -n $command ]] || continue
        prepares "$step" || continue
        read -r packages <<<"$packages"
        read -r purpose <<<"$purpose"
        found "$command" || echo "$command|$packages|$purpose"
    done <<<"$NEEDS"
}

# Runs apt-get as root if that is possible without asking anybody.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

may_install() {
    command -v apt-get >/dev/null || return 1
    ((EUID == 0)) || sudo -n true 2>/dev/null
}

apt_install() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
    # Without an update where the package lists are fresh enough.
    as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}

components() {
    local ok=0 component
    for component in fmt clippy; do
        cargo "$component" --version >/dev/null 2>&1 && continue
        local name=${component/fmt/rustfmt}
        if [[ $1 == yes ]] && command -v rustup >/dev/null && rustup component add "$name"; then
            continue
        fi
        echo "missing: cargo $component. Get it with: rustup component add $name"
        ok=1
    done
    return $ok
}

setup() {
    local install=$1 ok=0 packages
    if ! command -v cargo >/dev/null; then
        echo "missing: cargo. Get Rust from https://rustup.rs, then run this again."
        return 1
    fi
    components "$install" || ok=1
    packages=$(missing | cut -d'|' -f2)
    if [[ -n $packages && $install == yes ]] && may_install; then
        echo "installing:" $packages
        # shellcheck disable=SC2086 # one word per package
        apt_install $packages || echo "apt-get failed"
    fi
    local command needed purpose
    while IFS='|' read -r command needed purpose; do
        [[ -n $command ]] || continue
        echo "missing: $command ($purpose). On Debian: sudo apt-get install $needed"
        ok=1
    done < <(missing)
    if prepares versions; then setup_versions "$install" || ok=1; fi
    setup_tools "$install" || ok=1
    ((ok == 0)) && echo "everything is here: $(rustc --version)"
    return $ok
}
