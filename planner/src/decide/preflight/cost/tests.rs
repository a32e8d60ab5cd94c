use super::*;

const DEFAULTS: Timers = Timers { heartbeat: DEFAULT_HEARTBEAT_MS, election: DEFAULT_ELECTION_MS };

#[test]
fn a_disk_is_slow_above_ten_milliseconds_and_too_slow_above_a_hundred_and_fifty() {
    let policy = Policy::default();
    let speed = |micros| policy.speed(Duration::from_micros(micros));
    assert_eq!([speed(0), speed(10_000)], [Speed::Suits; 2]);
    assert_eq!([speed(10_001), speed(150_000)], [Speed::Slow; 2]);
    assert_eq!([speed(150_001), speed(20_000_000)], [Speed::TooSlow; 2]);
}

#[test]
fn etcds_own_timers_suit_members_up_to_a_heartbeat_apart() {
    assert!(DEFAULTS.suit(ms(0)) && DEFAULTS.suit(ms(30)) && DEFAULTS.suit(ms(100)));
    assert!(!DEFAULTS.suit(ms(101)));
    assert!(!Timers { heartbeat: 190, election: 1_000 }.suit(ms(150)), "ten round trips");
    assert!(!Timers { heartbeat: 100, election: 5_000 }.suit(ms(150)), "a heartbeat");
}

#[test]
fn what_is_advised_suits_and_still_does_when_the_next_look_measures_a_little_more() {
    for distance in 1..2_000 {
        let advised = DEFAULTS.suited(ms(distance));
        let Timers { heartbeat, election } = advised;
        assert!(advised.suit(ms(distance)) && advised.suit(ms(distance) * 6 / 5), "{distance}");
        assert!(
            election >= 5 * heartbeat && election <= MAX_ELECTION_MS,
            "{distance}: {advised:?}"
        );
        // etcd's guide: half to one and a half round trips; steps of 50 ms are coarse for short ones.
        assert!(distance < 200 || heartbeat <= distance * 3 / 2, "{distance}: {advised:?}");
    }
}

#[test]
fn advice_is_in_round_numbers_and_never_shortens_what_the_inventory_says() {
    assert_eq!(DEFAULTS.suited(ms(151)), Timers { heartbeat: 200, election: 2_000 });
    let patient = Timers { heartbeat: 500, election: 3_000 };
    assert_eq!(patient.suited(ms(310)), Timers { heartbeat: 500, election: 5_000 });
    let lazy = Timers { heartbeat: 100, election: 10_000 };
    assert_eq!(lazy.suited(ms(151)), Timers { heartbeat: 200, election: 10_000 });
}

#[test]
fn no_distance_makes_timers_that_etcd_refuses() {
    for distance in [9_000, 60_000, u32::MAX] {
        let Timers { heartbeat, election } = DEFAULTS.suited(ms(distance));
        assert_eq!((heartbeat, election), (MAX_ELECTION_MS / 5, MAX_ELECTION_MS));
    }
}

#[test]
fn times_are_short_to_read() {
    let shown = |times: [u64; 4]| times.map(|us| millis(Duration::from_micros(us)));
    assert_eq!(shown([40, 1_250, 9_949, 9_950]), ["0.0 ms", "1.2 ms", "9.9 ms", "10 ms"]);
    assert_eq!(
        shown([151_400, 999_499, 999_500, 15_000_000]),
        ["151 ms", "999 ms", "1.0 s", "15.0 s"]
    );
}
