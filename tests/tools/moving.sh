# An application of axum-login that moves over. Sourced by tests/run.
#
# Its stores bring SQLite by sqlx 0.8, which is older than the one of the workspace, and one
# program links one (see pairs.sh). So it is resolved on its own, from our lock file.

moving() {
    local target=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target/moving" && target=$(cd "$target/moving" && pwd) || return 1
    cp Cargo.lock tests/moving/Cargo.lock
    (
        cd tests/moving || exit 1
        export CARGO_TARGET_DIR=$target
        cargo fmt --check && cargo update --quiet rusqlite && cargo test --locked --no-fail-fast
    )
}
