# The feature `sqlite` beside whatever else speaks to SQLite. Sourced by tests/run.
#
# One program links one SQLite (`links = "sqlite3"` of libsqlite3-sys), so cargo must find
# a version of rusqlite that suits both. Each pair is an application of its own, resolved
# from our lock file, as if its author had added the second crate later.

# The other crate, as a line of Cargo.toml | the Rust that it needs, where that is more than ours
PAIRS='
rusqlite = "=0.32.1"                                                                                     |
rusqlite = "=0.37.0"                                                                                     |
rusqlite = "=0.43.0"                                                                                     |
sqlx = { version = "=0.8.6", default-features = false, features = ["sqlite", "runtime-tokio"] }          |
sqlx = { version = "=0.9.0", default-features = false, features = ["sqlite", "runtime-tokio"] }          | 1.94
diesel = { version = "=2.3.14", default-features = false, features = ["sqlite"] }                        |
deadpool-sqlite = "=0.12.1"                                                                              |
deadpool-sqlite = "=0.14.0"                                                                              | 1.95
tokio-rusqlite = "=0.7.0"                                                                                |
tokio-rusqlite = "=0.8.0"                                                                                |
'

# The version of package $1 in the lock file of the current folder.
locked() { grep -A1 "^name = \"$1\"" Cargo.lock | sed -n 's/^version = "\(.*\)"/\1/p' | tr '\n' ' '; }

# Resolves and compiles one pair in the current folder.
pair() {
    mkdir -p src
    echo 'fn main() { drop(session_runtime::store::SqliteStore::options()); }' >src/main.rs
    printf '%s\n' '[package]' 'name = "pair"' 'edition = "2024"' '[workspace]' \
        '[profile.dev]' 'debug = 0' 'incremental = false' \
        '[dependencies]' "$2" \
        "session-runtime = { path = \"$1/session-runtime\", default-features = false, features = [\"sqlite\"] }" >Cargo.toml
    # What the documentation tells those to do who have a lock file already.
    cargo update --quiet rusqlite && cargo check --quiet --locked
}

pairs() {
    local here ok=0 line rust compiler place begin
    here=$(pwd) compiler=$(rustc -vV | sed -n 's/^release: //p')
    place=$(mktemp -d) || return 1
    while IFS='|' read -r line rust; do
        line=$(sed 's/ *$//' <<<"$line") rust=${rust// /}
        [[ -n $line ]] || continue
        if [[ -n $rust ]] && newer "$rust" "$compiler"; then
            echo "left out: $line, which needs Rust $rust"
            continue
        fi
        begin=$SECONDS
        rm -f "$place/Cargo.lock" && cp Cargo.lock "$place/"
        if (cd "$place" && CARGO_TARGET_DIR=$place/target pair "$here" "$line"); then
            (cd "$place" && echo "compiles: ${line/=/with} -> rusqlite $(locked rusqlite), libsqlite3-sys $(locked libsqlite3-sys) ($((SECONDS - begin))s)")
        else
            echo "DOES NOT: $line"
            ok=1
        fi
    done <<<"$PAIRS"
    rm -rf "$place"
    return $ok
}
