use super::*;

/// The way from members that serve with these versions.
fn path(versions: &[&str], wanted: &str) -> Path {
    let hosts: Vec<HostName> =
        (1..=versions.len()).map(|number| format!("etcd-{number}").parse().unwrap()).collect();
    let runs: Vec<Run<'_>> = hosts
        .iter()
        .zip(versions)
        .map(|(host, version)| Run { host, version, serves: true })
        .collect();
    Path::from_runs(&runs, wanted.parse().unwrap())
}

fn stops_of(path: Path) -> Vec<String> {
    match path {
        Path::Refused(Refusal::Jump { stops, .. } | Refusal::OldPatch { stops, .. }) => {
            stops.iter().map(EtcdVersion::to_string).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_neighbour_is_reached_and_a_mixture_of_two_is_finished() {
    assert_eq!(path(&["3.6.14", "3.6.16"], "3.6.16"), Path::Patches);
    assert_eq!(path(&["3.4.23"; 3], "3.5.35"), Path::Up { from: Minor::V3_4 });
    assert_eq!(path(&["3.5.35"; 3], "3.6.16"), Path::Up { from: Minor::V3_5 });
    assert_eq!(path(&["3.6.16", "3.5.35", "3.6.14"], "3.6.16"), Path::Up { from: Minor::V3_5 });
}

#[test]
fn one_that_still_serves_with_the_old_minor_is_the_way_back() {
    let back = Path::Back { from: Minor::V3_6 };
    assert_eq!(path(&["3.6.16", "3.5.35", "3.6.16"], "3.5.35"), back);
}

#[test]
fn a_cluster_that_has_come_to_a_minor_goes_down_as_etcd_allows() {
    assert_eq!(path(&["3.7.3"; 3], "3.6.16"), Path::Down { from: Minor::V3_7 });
    assert_eq!(path(&["3.6.16"; 3], "3.5.35"), Path::Down { from: Minor::V3_6 });
    let fall = path(&["3.7.3"; 3], "3.5.34");
    let Path::Refused(Refusal::Fall { stops, .. }) = fall else { panic!("{fall:?}") };
    let stops: Vec<String> = stops.iter().map(EtcdVersion::to_string).collect();
    assert_eq!(stops, ["3.6.16", "3.5.34"]);
    for (is, wanted) in [(["3.5.35"; 2], "3.4.23"), (["3.6.16", "3.7.3"], "3.5.35")] {
        let refused = path(&is, wanted);
        assert!(matches!(refused, Path::Refused(Refusal::NoWayBack { .. })), "{refused:?}");
    }
}

#[test]
fn one_that_is_down_is_no_way_back() {
    let (one, two) = ("etcd-1".parse().unwrap(), "etcd-2".parse().unwrap());
    let runs = [
        Run { host: &one, version: "3.6.16", serves: true },
        Run { host: &two, version: "3.5.35", serves: false },
    ];
    let path = Path::from_runs(&runs, "3.5.35".parse().unwrap());
    assert!(matches!(path, Path::Refused(Refusal::NoWayBack { .. })), "{path:?}");
}

#[test]
fn a_jump_is_refused_with_every_release_on_the_way() {
    assert_eq!(stops_of(path(&["3.4.23"; 3], "3.7.3")), ["3.5.35", "3.6.16", "3.7.3"]);
    assert_eq!(stops_of(path(&["3.5.10"; 3], "3.7.0")), ["3.5.35", "3.6.16", "3.7.0"]);
}

#[test]
fn a_minor_is_left_from_a_patch_on_that_all_members_run() {
    assert_eq!(stops_of(path(&["3.5.35", "3.5.31", "3.5.35"], "3.6.16")), ["3.5.35", "3.6.16"]);
    assert_eq!(path(&["3.5.32"; 3], "3.6.0"), Path::Up { from: Minor::V3_5 });
    assert_eq!(stops_of(path(&["3.6.10"; 3], "3.7.3")), ["3.6.16", "3.7.3"]);
    assert_eq!(path(&["3.6.11"; 3], "3.7.3"), Path::Up { from: Minor::V3_6 });
}

#[test]
fn nobody_is_brought_to_a_release_that_damages_data() {
    let refused = path(&["3.4.23"; 3], "3.5.5");
    assert!(matches!(refused, Path::Refused(Refusal::BadTarget { .. })), "{refused:?}");
    for versions in [["3.6.16"; 3], ["3.6.16", "3.5.35", "3.6.16"]] {
        let refused = path(&versions, "3.5.5");
        assert!(matches!(refused, Path::Refused(Refusal::BadTarget { .. })), "{refused:?}");
    }
    assert_eq!(path(&["3.4.23"; 3], "3.5.6"), Path::Up { from: Minor::V3_4 });
}

#[test]
fn what_etcd_does_not_let_run_together_is_named() {
    for versions in [["3.4.23", "3.6.16", "3.6.16"], ["3.5.35", "3.6.16", "3.7.3"]] {
        let refused = path(&versions, "3.6.16");
        assert!(matches!(refused, Path::Refused(Refusal::Scattered { .. })), "{refused:?}");
    }
    let refused = path(&["3.3.27", "3.4.23"], "3.4.23");
    assert!(matches!(refused, Path::Refused(Refusal::Unknown { .. })), "{refused:?}");
}
