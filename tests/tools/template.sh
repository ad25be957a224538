# The template for new services, as `cargo generate` expands it. Sourced by tests/run.

# Expands the template into $1, with this workspace's crates in place of released ones.
# Two placeholders do not need the tool.
expand_template() {
    local place=$1 root
    root=$(pwd)
    rm -rf "$place" && mkdir -p "$place" && cp -R template/. "$place" && rm "$place/cargo-generate.toml" || return 1
    find "$place" -type f -exec sed -i 's/{{project-name}}/new-service/g' {} +
    if grep -rn '{{' "$place"; then
        echo "a placeholder that is not filled in"
        return 1
    fi
    printf '%s\n' '' '[patch.crates-io]' "session-runtime = { path = \"$root/session-runtime\" }" \
        "session-macros = { path = \"$root/session-macros\" }" '' '[workspace]' >>"$place/Cargo.toml"
    cp Cargo.lock "$place"
}

template() {
    local target=${CARGO_TARGET_DIR:-target} place
    mkdir -p "$target/template" && target=$(cd "$target/template" && pwd) || return 1
    place=$target/new-service
    expand_template "$place" || return 1
    (
        cd "$place" || exit 1
        export CARGO_TARGET_DIR=$target/target
        cargo fmt --check && cargo clippy --all-targets -- -D warnings && cargo test --no-fail-fast
    )
}
