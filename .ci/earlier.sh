# shellcheck shell=bash
# The program that sites in use were formed by, built once from the repository's own history into the lab's
# cache. Tests check that today's program continues from what that one left.

# The commit that tests/lab/src/site.rs names too.
EARLIER=cc236538
EARLIER_PROGRAM=${QUORATE_LAB_CACHE:-/var/cache/quorate-lab}/earlier/$EARLIER/quorate

# Builds it in the target folder of today's program, whose dependencies are mostly the same. The crates of the two
# have the same names there, and cargo tells them apart by the times of their files alone: so they are removed before
# the build and after it.
build_earlier() {
    [ ! -x "$EARLIER_PROGRAM" ] || return 0
    if ! git cat-file -e "$EARLIER^{commit}" 2>/dev/null; then
        printf 'commit %s is not in this clone: so what it left on hosts is not tested: git fetch --unshallow\n' "$EARLIER"
        return 1
    fi
    say "building the program of $EARLIER, once"
    local folder=${EARLIER_PROGRAM%/*}
    rm -rf "$folder"
    mkdir -p "$folder/source"
    git archive "$EARLIER" | tar -x -C "$folder/source"
    clean_own_crates
    local rc=0
    (cd "$folder/source" && CARGO_TARGET_DIR=$TARGET cargo build -q --release --locked -p quorate) || rc=$?
    if [ "$rc" = 0 ]; then
        cp "$QUORATE" "$EARLIER_PROGRAM.partial"
        mv "$EARLIER_PROGRAM.partial" "$EARLIER_PROGRAM"
    fi
    rm -rf "$folder/source"
    clean_own_crates
    return "$rc"
}

# Removes the crates that cargo would take for the other program's, and keeps the dependencies.
clean_own_crates() {
    cargo clean -q --release --workspace
}
