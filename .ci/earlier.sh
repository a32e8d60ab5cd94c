# shellcheck shell=bash
# The program that sites in use were formed by, built once from the repository's own history into the lab's
# cache. Tests check that today's program continues from what that one left.

# The commit that tests/lab/src/site.rs names too.
EARLIER=cc236538
EARLIER_PROGRAM=${QUORATE_LAB_CACHE:-/var/cache/quorate-lab}/earlier/$EARLIER/quorate

# Builds it in a target folder of its own: in that of today's program, cargo tells crates of the same name apart by the
# times of their files alone.
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
    local rc=0
    (cd "$folder/source" && CARGO_TARGET_DIR=$folder/target nice cargo build -q --locked -p quorate) || rc=$?
    [ "$rc" != 0 ] || mv "$folder/target/debug/quorate" "$EARLIER_PROGRAM"
    rm -rf "$folder/source" "$folder/target"
    return "$rc"
}
