# What a release promises: the public API, and what comes with it. Sourced by tests/run.

# name | version | the step that needs it
TOOLS='
cargo-public-api | 0.52.0 | surface
cargo-deny       | 0.20.2 | licences
'

tools_at() { echo "${CARGO_TARGET_DIR:-target}/tools"; }

# Prints `name version` of every tool that a wanted step lacks.
missing_tools() {
    local name version step
    while IFS='| ' read -r name version step; do
        [[ -n $name ]] && prepares "$step" || continue
        [[ $("$(tools_at)/bin/$name" --version 2>/dev/null) == *" $version" ]] || echo "$name $version"
    done <<<"$TOOLS"
}

setup_tools() {
    local install=$1 ok=0 name version
    while read -r name version; do
        [[ -n $name ]] || continue
        if [[ $install == yes ]]; then
            echo "installing: $name $version into $(tools_at)"
            # Unoptimised: they run for seconds, and compile for minutes.
            cargo install --quiet --locked --debug --root "$(tools_at)" "$name@$version" && continue
        fi
        echo "missing: $name $version. Get it with:"
        echo "  cargo install --locked --root $(tools_at) $name@$version"
        ok=1
    done < <(missing_tools)
    return $ok
}

# The public API, an item per line: without what rustdoc hides, blanket and derived
# implementations, and the methods of traits on their implementors.
public_api() {
    local package=$1 target=${CARGO_TARGET_DIR:-target}/surface
    # The format is not stable, and the tool knows that of the compilers of its time.
    RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --locked -p "$package" --lib --all-features \
        --target-dir "$target" -- -Zunstable-options --output-format json || return 1
    "$(tools_at)/bin/cargo-public-api" public-api -sss \
        --rustdoc-json "$target/doc/${package//-/_}.json" |
        awk '/^impl/ { of_trait = / for / } /^pub (mod|struct|enum|trait|macro|use)|^#/ { of_trait = 0 }
             !of_trait || /^impl/' | awk '!seen[$0]++'
}

# Holds the public API against the listing in the repository. With SURFACE=update the
# listing is written instead.
surface() {
    local listing=session-runtime/public-api.txt now
    now=$(public_api session-runtime) && [[ -n $now ]] || return 1
    if [[ ${SURFACE-} == update ]]; then
        echo "$now" >"$listing"
    elif ! diff -u "$listing" - <<<"$now"; then
        echo "The public API has changed. If that is meant, run SURFACE=update tests/run surface,"
        echo "and commit $listing with the change; CHANGELOG.md says what users have to do."
        return 1
    fi
    echo "$(grep -cv '^impl' "$listing") public items"
}

# Licences, sources and duplicates of everything that a feature can bring. Advisories too,
# where their database can be fetched.
licences() {
    local deny
    deny=$(tools_at)/bin/cargo-deny
    "$deny" --all-features --locked check --hide-inclusion-graph licenses bans sources || return 1
    if "$deny" --all-features fetch db >/dev/null 2>&1; then
        "$deny" --all-features --locked check --hide-inclusion-graph advisories
    else
        echo "left out: advisories, for their database cannot be fetched"
    fi
}
