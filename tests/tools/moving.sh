# Applications of axum-login and axum_session that move over. Sourced by tests/run.
#
# The stores of axum-login bring SQLite by sqlx 0.8, which is older than the one of the workspace,
# and one program links one (see pairs.sh). So they are resolved on their own, from our lock file.

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
