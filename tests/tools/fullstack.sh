# Examples on frameworks with many dependencies. Each is a separate workspace; they share a
# target directory. Sourced by tests/run.

fullstack() {
    local target=${CARGO_TARGET_DIR:-target} ok=0 framework
    mkdir -p "$target/fullstack" && target=$(cd "$target/fullstack" && pwd) || return 1
    for framework in leptos dioxus; do
        (
            cd "examples/$framework" || exit 1
            export CARGO_TARGET_DIR=$target CARGO_PROFILE_DEV_DEBUG=0
            cargo fmt --check && cargo test --locked --no-fail-fast
        ) || ok=1
    done
    return $ok
}
