# Checks that ask cargo about the packages themselves. Sourced by tests/run.
# No tool but cargo and the usual text tools: a fresh machine has no jq.

host() { rustc -vV | sed -n 's/^host: //p'; }

# One line per package: `name version rust-version`, `-` if it states none.
packages() {
    cargo metadata --locked --format-version 1 --filter-platform "$(host)" |
        sed 's/{"name":"\([^"]*\)","version":"\([^"]*\)","id":/\n@ \1 \2 /g' |
        awk '/^@ / {
            rust = "-"
            if (match($0, /"rust_version":"[^"]*"/)) rust = substr($0, RSTART + 16, RLENGTH - 17)
            print $2, $3, rust
        }'
}

# The names of the cargo features of session-runtime.
features() {
    cargo metadata --locked --no-deps --format-version 1 |
        sed 's/{"name":"\([^"]*\)","version":"[^"]*","id":/\n@ \1 /g' |
        sed -n 's/^@ session-runtime .*"features":{\([^}]*\)}.*/\1/p' |
        grep -o '"[^"]*":\[' | tr -d '":['
}

each_feature_alone() {
    local ok=0 feature
    echo "without any feature"
    cargo check --locked -p session-runtime --no-default-features || ok=1
    while read -r feature; do
        [[ $feature == default ]] && continue
        echo "only $feature"
        cargo check --locked -p session-runtime --no-default-features --features "$feature" || ok=1
    done < <(features)
    return $ok
}

# `name version` of everything that is compiled into a user's program.
compiled_in() {
    cargo tree --locked --edges normal,build --prefix none --format '{p}' "$@" |
        sed 's/ (.*//; s/ v/ /' | sort -u
}

# Whether version $1 is above version $2; `1.89` is `1.89.0`.
newer() {
    awk -v a="$1" -v b="$2" 'BEGIN {
        split(a, x, "."); split(b, y, ".")
        for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 > y[i] + 0)
        exit 1
    }'
}

minimum_rust_version() {
    local stated ok=0 name version rust
    stated=$(packages | awk '$1 == "session-runtime" { print $3 }')
    if [[ -z $stated || $stated == - ]]; then
        echo "session-runtime states no rust-version"
        return 1
    fi
    # Of all that a user can switch on, nothing needs a newer compiler.
    while read -r name version rust; do
        [[ $rust == - ]] && continue
        if newer "$rust" "$stated"; then
            echo "$name $version needs Rust $rust, and Rust $stated is promised"
            ok=1
        fi
    done < <(packages | grep -Fwf <(compiled_in -p session-runtime --all-features))
    ((ok == 0)) && echo "no dependency states more than Rust $stated"
    local toolchain
    toolchain=$(rustup toolchain list 2>/dev/null | awk -v v="$stated" 'index($1, v) == 1 { print $1; exit }')
    if [[ -n $toolchain ]]; then
        echo "compiling with $toolchain"
        cargo "+$toolchain" check --locked -p session-runtime --all-features || ok=1
    else
        echo "no toolchain $stated is installed, so nothing was compiled with it (rustup toolchain install $stated);"
        echo "the step \`lint\` checks the standard library's items against it (clippy::incompatible_msrv)"
    fi
    return $ok
}

# The dependencies of a new application: axum as it comes, and whatever else
# is given. Takes the versions of our own lock file.
application() {
    local name=$1 place=$logs/$1
    mkdir -p "$place/src" && : >"$place/src/lib.rs" && cp Cargo.lock "$place/"
    printf '%s\n' '[package]' "name = \"$name\"" 'edition = "2024"' '[workspace]' \
        '[dependencies]' 'axum = "0.8"' "${@:2}" >"$place/Cargo.toml"
    cargo tree --manifest-path "$place/Cargo.toml" --edges normal,build --prefix none --format '{p}' |
        sed 's/ (.*//' | grep -v "^$name " | sort -u
}

# What the default features add to an application that has axum already.
dependency_budget() {
    local alone both added number
    alone=$(application axum-alone) || return 1
    both=$(application axum-and-sessions "session-runtime = { path = \"$(pwd)/session-runtime\" }") || return 1
    added=$(comm -13 <(echo "$alone") <(echo "$both"))
    number=$(grep -c . <<<"$added")
    echo "$number crates beside the $(grep -c . <<<"$alone") of axum:"
    sed 's/^/  /' <<<"$added"
    if ((number > $1)); then
        echo "at most $1 are allowed"
        return 1
    fi
}

# A workspace of its own: it links the SQLite that its peers can share with us.
benches() {
    local target=${CARGO_TARGET_DIR:-target}
    target=$(cd "$target" && pwd) || return 1
    (
        cd benches || exit 1
        cargo fmt --check &&
            CARGO_TARGET_DIR=$target cargo clippy --locked --all-targets -- -D warnings
    )
}
