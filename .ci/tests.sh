# shellcheck shell=bash
# What ./dev test runs and how: first what needs no lab, then each test that does, several at a time, in a
# process of its own. The end lists how long each took, what failed and what was not run.

# Every test, with all features: cargo builds most crates once more for every other choice.
EVERY=(--workspace --features "quorate-lab/lab,quorate-tests/lab")

# How many tests that need a lab run at one time: they wait for systemd, leases and elections.
AT_ONCE=4

# Those of them that take longest begin first, so that none runs alone at the end.
LONGEST=(
    a_bootstrap_struck_at_any_step_comes_to_the_same_site
    what_holds_of_units_holds_of_pods
    a_change_of_minor_struck_at_any_step_comes_to_the_same_site
    a_cluster_goes_from_the_oldest_minor_to_the_newest_and_down_and_loses_no_write
    the_simulated_world_and_etcd_answer_alike
    the_rules_of_membership_and_etcd_answer_alike
    what_somebody_changed_of_a_pod_manually_is_shown_and_undone
    a_cluster_moves_to_pods_and_back_under_load_and_no_write_is_lost
    a_roll_struck_at_any_step_comes_to_the_same_site
    a_repair_struck_at_any_step_comes_to_the_same_site
    a_replacement_struck_at_any_step_comes_to_the_same_site
    each_way_forms_a_cluster_in_each_runtime
    a_roll_stops_at_a_kubelet_that_does_not_run_and_resumes_with_it
    a_kubelet_is_made_to_stand_alone_and_runs_the_members
    what_somebody_changed_manually_is_shown_and_undone
    api_servers_are_wired_and_stay_so
    a_member_is_swapped_while_kubectl_writes
    a_real_api_server_runs_what_the_editor_writes
)

# Builds what the tests are made of, and what runs the hosts.
build_tests() {
    cargo test "${EVERY[@]}" --no-run "$@" || die "the tests do not build" "see cargo's errors above"
}

# More tests run at once than there are cores: many of them wait for a server or a clock.
test_below_lab() {
    RUST_TEST_THREADS=$((2 * $(nproc))) cargo --config "target.'cfg(unix)'.runner='$PWD/.ci/runner'" \
        test "${EVERY[@]}" --no-fail-fast "$@"
}

# The notes of a run: times, and what passed, failed and was not run, each a line.
begin_notes() {
    NOTES=$(mktemp -d)
    export QUORATE_TIMES=$NOTES/times
    : >"$NOTES/times"
    : >"$NOTES/failed"
    : >"$NOTES/not-run"
    : >"$NOTES/passed"
}

failed() { printf '%s\n' "$1" >>"$NOTES/failed"; }
not_run() { printf '%s: %s\n' "$1" "$2" >>"$NOTES/not-run"; }

# Passes the output of cargo test on, and counts. Of what tests printed that passed, it takes why one of them
# did not look.
counted() {
    local line name='' inside='' skipped=0
    while IFS= read -r line; do
        case "$line" in
        successes:) inside=yes ;;
        failures: | 'test result:'*) inside='' ;;
        esac
        if [ -n "$inside" ]; then
            case "$line" in
            '---- '*' stdout ----') name=${line#---- } name=${name% stdout ----} ;;
            'skipped: '*)
                # One test may say so of several programs.
                [ -z "$name" ] || { not_run "$name" "${line#skipped: }" && skipped=$((skipped + 1)); }
                name=''
                ;;
            esac
            continue
        fi
        printf '%s\n' "$line"
        case "$line" in
        'test '*' ... ignored'*)
            name=${line#test }
            not_run "${name% ... ignored*}" "${line#* ... ignored, }"
            ;;
        'test '*' ... FAILED') name=${line#test } && failed "${name% ... FAILED}" ;;
        'test result:'*)
            line=${line#*. }
            printf '%s\n' $((${line%% passed*} - skipped)) >>"$NOTES/passed"
            skipped=0
            ;;
        esac
    done
}

# The programs whose tests need a lab: what they are made from, and where they are.
programs_with_lab() {
    cargo test "${EVERY[@]}" --no-run --message-format=json 2>/dev/null |
        sed -n "s|.*\"src_path\":\"$PWD/\([^\"]*\)\".*\"executable\":\"\([^\"]*\)\".*|\1 \2|p" |
        grep -E '^tests/(tests/(lab/main|faithful/main|flags)|lab/tests/lab/main)\.rs '
}

# Each test that needs a lab, a line: where it runs, its program, its name. Those that take longest first.
# A proof plays each scenario with pods separately; otherwise a test plays a sample of them.
tests_with_lab() {
    local source program name all
    all=$(programs_with_lab | while read -r source program; do
        for name in $("$program" --list | sed -n 's/: test$//p'); do
            case $source:$name in
            # The lab's own look at the machine. Kept disks want the subnet that they are of.
            tests/lab/*:kept::* | tests/tests/*) printf 'in_a_network %s %s\n' "$program" "$name" ;;
            *) printf 'on_the_machine %s %s\n' "$program" "$name" ;;
            esac
            case $name in
            *::with_units::*) [ -z "${QUORATE_PROVE:-}" ] || printf 'with_pods %s %s\n' "$program" "$name" ;;
            esac
        done
    done)
    for name in "${LONGEST[@]}"; do
        grep -E " (.*::)?$name\$" <<<"$all" || failed "$name, which LONGEST names: there is no such test"
    done
    printf '%s\n' "${LONGEST[@]}" | sed 's/.*/[ :]&$/' >"$NOTES/longest"
    [ ${#LONGEST[@]} -gt 0 ] || printf '^$\n' >"$NOTES/longest"
    grep -v -f "$NOTES/longest" <<<"$all"
}

on_the_machine() { cd tests/lab && "$@"; }

# With a network of its own its lab has the same addresses as every other, and disks that were formed with
# them; and nobody else takes its ports.
in_a_network() { cd tests && unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"; }

# Plays with pods what a test plays with units.
with_pods() {
    local program=$1 name=${3##*::}
    shift 3
    QUORATE_SCENARIO=$name in_a_network "$program" --exact pods::what_holds_of_units_holds_of_pods "$@"
}

alone() {
    local said=$1
    shift
    ("$@" --test-threads=1 --show-output) >"$said" 2>&1
}

# One test, and what it printed, in one piece.
with_lab() {
    local place=$1 program=$2 name=$3 label=$3 folder used hosts lacks rc=0
    [ "$place" != with_pods ] || label=with_pods:$name
    folder=$(mktemp -d -p "$NOTES")
    export QUORATE_LAB_CPU=$folder/cpu
    : >"$folder/cpu"
    local TIMEFORMAT='%3R %3U %3S'
    used=$({ time alone "$folder/said" "$place" "$program" --exact "$name"; } 2>&1) || rc=$?
    hosts=$(awk '{ ms += $1 } END { printf "%.3f", ms / 1000 }' "$folder/cpu")
    printf '%s %s %s\n' "$used" "$label" "$hosts" | awk '{ $3 += $5; NF = 4; print }' >>"$NOTES/times"
    # A test whose needs could not be met has not failed.
    if [ "$rc" = 0 ]; then
        lacks=$(sed -n '/^not run: /{ s///p; q }' "$folder/said")
    else
        lacks=$(sed -n '/.*NotPrepared("\([^"]*\)").*/{ s//\1 could not be had/p; q }' "$folder/said")
    fi
    if [ "$rc" != 0 ] && [ -n "$lacks" ] && [ -n "${LATER:-}" ]; then
        printf '%s %s %s\n' "$place" "$program" "$name" >>"$NOTES/later"
        printf 'test %s ... later: %s is not built yet\n' "$label" "${lacks% could not be had}"
    elif [ -n "$lacks" ]; then
        not_run "$label" "$lacks"
        printf 'test %s ... not run: %s\n' "$label" "$lacks"
    elif [ "$rc" = 0 ]; then
        printf '1\n' >>"$NOTES/passed"
        sed "1,/^---- .* stdout ----\$/d; /^successes:\$/,\$d; /^\$/d; s/^/    /" "$folder/said" \
            >"$folder/short"
        cat - "$folder/short" <<<"test $label ... ok"
    else
        failed "$label"
        cat "$folder/said"
    fi
    rm -r "$folder"
}

# All tests that need a lab, or those whose line fits the first pattern and not the second.
test_with_lab() {
    local all
    all=$(tests_with_lab | grep -E -- "${1:-.}" | if [ $# -lt 2 ]; then cat; else grep -Ev -- "$2"; fi)
    [ -n "$all" ] || failed "no test that needs a lab was found"
    run_with_lab <<<"$all"
}

# Runs the tests whose lines it reads. What the lab's cache lacks by now they don't build: it could not be had, or it is
# being built, and what needs it is run later.
run_with_lab() {
    local place program name running=0
    export QUORATE_LAB_PREPARED=1
    while read -r place program name; do
        if [ "$running" -ge "$AT_ONCE" ]; then
            wait -n || true
            running=$((running - 1))
        fi
        with_lab "$place" "$program" "$name" &
        running=$((running + 1))
    done
    wait
}

# Where the time went, what was not run, what failed, and how many of each. Fails if anything did.
tell_end() {
    local rc=0 passed
    say "the slowest tests: wall-clock seconds, processor seconds"
    awk '{ name = $4; for (i = 5; i <= NF; i++) name = name " " $i
        printf "%8.1f %8.1f  %s\n", $1, $2 + $3, name }' "$NOTES/times" | sort -rn -o "$NOTES/slowest"
    head -15 "$NOTES/slowest"
    awk '{ wall += $1; cpu += $2 } END { printf "%8.1f %8.1f  total\n", wall, cpu }' "$NOTES/slowest"
    if [ -s "$NOTES/not-run" ]; then
        say "what was not run"
        sort "$NOTES/not-run"
    fi
    if [ -s "$NOTES/failed" ]; then
        say "what failed"
        cat "$NOTES/failed"
        rc=1
    fi
    passed=$(awk '{ passed += $1 } END { print passed + 0 }' "$NOTES/passed")
    printf '\n%d passed, %d failed, %d not run, in %d s\n' "$passed" "$(wc -l <"$NOTES/failed")" \
        "$(wc -l <"$NOTES/not-run")" "$1"
    rm -r "$NOTES"
    return "$rc"
}
