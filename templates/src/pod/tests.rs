use std::collections::BTreeSet;

use inventories::ClusterName;
use inventories::inventory::FlagValue;
use proptest::prelude::*;
use yaml_rust2::{Yaml, YamlLoader};

use super::*;
use crate::token::PLACEHOLDER;
use crate::{sample, unit};

const IDS: Ids = Ids { user: 998, group: 997 };

fn token() -> BootstrapToken {
    BootstrapToken::from_random([0xab; 16])
}

/// As another library reads it.
fn read(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

/// The command that the container gets.
fn command(pod: &Yaml) -> Vec<String> {
    let container = &pod["spec"]["containers"][0];
    let words = container["command"].as_vec().unwrap();
    words.iter().map(|word| expanded(word.as_str().unwrap(), container)).collect()
}

/// What a kubelet makes of a word, as `third_party/forked/golang/expansion` of Kubernetes has it.
fn expanded(word: &str, container: &Yaml) -> String {
    let value = |name: &str| {
        let variables = container["env"].as_vec().unwrap();
        let variable = variables.iter().find(|variable| variable["name"].as_str() == Some(name));
        variable.map(|variable| variable["value"].as_str().unwrap().to_owned())
    };
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) =
            rest.strip_prefix('(').and_then(|inside| inside.split_once(')'))
        {
            out += &value(name).unwrap_or_else(|| format!("$({name})"));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

/// Set `REWRITE=1` to rewrite the files, and read the diff.
#[test]
fn the_pods_of_each_minor_are_as_reviewed() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for version in ["3.4.45", "3.5.35", "3.6.16", "3.7.3"] {
        for (formation, member) in
            [("new", sample::member(version)), ("existing", sample::formed(version))]
        {
            let manifest = Manifest::for_member(&member).unwrap();
            let path = format!("{dir}/{version}-{formation}.yaml");
            if std::env::var_os("REWRITE").is_some() {
                std::fs::write(&path, manifest.as_str()).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(manifest.as_str(), golden, "{path}");
        }
    }
}

#[test]
fn the_pod_and_the_unit_of_a_member_run_the_same_command() {
    for version in ["3.4.45", "3.5.35", "3.6.16", "3.7.3"] {
        let plain = [sample::member(version), sample::by_dns(version), sample::formed(version)];
        let by_discovery = sample::by_discovery(version).into_iter().map(|(_, member)| member);
        for member in plain.into_iter().chain(by_discovery) {
            let pod = Manifest::for_member(&member).unwrap().bind(Some(&token()), Some(IDS));
            let unit = unit::render(&member).unwrap().bind(&token());
            let mut in_unit = unit::tests::exec_start(&unit);
            assert_eq!(in_unit.remove(0), format!("/opt/quorate/etcd/{version}/etcd"));
            let mut in_pod = command(&read(&pod));
            assert_eq!(in_pod.remove(0), "etcd");
            assert_eq!(in_pod, in_unit, "{version}");
            assert!(in_pod.iter().all(|argument| !argument.contains(PLACEHOLDER)), "{version}");
        }
    }
}

#[test]
fn binding_fills_in_token_and_numbers_and_changes_nothing_else() {
    let manifest = Manifest::for_member(&sample::member("3.6.16")).unwrap();
    let bound = manifest.bind(Some(&token()), Some(IDS));
    let pod = read(&bound);
    let security = &pod["spec"]["securityContext"];
    assert_eq!(security["runAsUser"].as_i64(), Some(998));
    assert_eq!(security["runAsGroup"].as_i64(), Some(997));
    assert!(command(&pod).contains(&format!("--initial-cluster-token={}", token())));
    let unbound = bound
        .replace(token().as_str(), PLACEHOLDER)
        .replace(" 998\n", &format!(" \"{USER_HOLE}\"\n"))
        .replace(" 997\n", &format!(" \"{GROUP_HOLE}\"\n"));
    assert_eq!(read(&unbound), read(manifest.as_str()));
    assert_eq!(manifest.bind(None, None), manifest.as_str());
}

#[test]
fn the_pod_of_a_formed_member_has_no_token() {
    let manifest = Manifest::for_member(&sample::formed("3.6.16")).unwrap();
    assert_eq!(manifest.bind(Some(&token()), None), manifest.as_str());
    assert!(!manifest.as_str().contains("token="));
}

/// A runtime follows a link in the place of a mounted directory, and etcd can write its data directory.
#[test]
fn no_pod_mounts_what_its_own_process_could_replace() {
    for member in [sample::member("3.6.16"), sample::by_dns("3.6.16"), sample::formed("3.6.16")] {
        let pod = read(Manifest::for_member(&member).unwrap().as_str());
        let list = |of: &Yaml, key: &str| of[key].as_vec().unwrap().clone();
        let writable: Vec<String> = list(&pod["spec"]["containers"][0], "volumeMounts")
            .iter()
            .filter(|mount| mount["readOnly"].as_bool() != Some(true))
            .map(|mount| mount["mountPath"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(writable, ["/var/lib/etcd/main"]);
        for volume in list(&pod["spec"], "volumes") {
            let path = volume["hostPath"]["path"].as_str().unwrap();
            let inside = writable.iter().any(|dir| path.starts_with(&format!("{dir}/")));
            assert!(!inside, "{path} lies in what the pod may write");
        }
    }
}

#[test]
fn a_process_tells_which_of_two_manifests_it_was_started_from() {
    let members = [
        sample::member("3.6.16"),
        sample::formed("3.6.16"),
        sample::formed("3.6.14"),
        Member { image: "mirror.example.net/etcd:v3.6.16".to_owned(), ..sample::formed("3.6.16") },
        Member {
            flags: [("quota-backend-bytes".to_owned(), FlagValue::Int(7))].into(),
            ..sample::formed("3.6.16")
        },
    ];
    let identities: BTreeSet<String> = members
        .iter()
        .map(|member| {
            let manifest = Manifest::for_member(member).unwrap();
            let pod = read(manifest.as_str());
            let variables = &pod["spec"]["containers"][0]["env"];
            let variable = &variables[1];
            assert_eq!(variable["name"].as_str(), Some(IDENTITY));
            assert_eq!(variable["value"].as_str(), Some(manifest.identity()));
            manifest.identity().to_owned()
        })
        .collect();
    assert_eq!(identities.len(), members.len());
}

/// Go asks for `NO_PROXY` first, whatever proxy an image or a runtime sets.
#[test]
fn a_pod_takes_no_proxy_for_its_peers() {
    let pod = read(Manifest::for_member(&sample::formed("3.6.16")).unwrap().as_str());
    let variable = &pod["spec"]["containers"][0]["env"][0];
    assert_eq!(
        (variable["name"].as_str(), variable["value"].as_str()),
        (Some("NO_PROXY"), Some("*"))
    );
}

#[test]
fn the_numbers_stand_on_lines_of_their_own() {
    let text = Manifest::for_member(&sample::member("3.6.16")).unwrap().as_str().to_owned();
    for (key, hole) in [("runAsUser", USER_HOLE), ("runAsGroup", GROUP_HOLE)] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(hole)).collect();
        let [line] = lines[..] else { panic!("{lines:?}") };
        assert_eq!(line.trim().trim_matches('"'), format!("{key}: \"{hole}").trim_matches('"'));
    }
}

#[test]
fn an_operators_flag_can_pose_neither_as_the_token_nor_as_a_number() {
    let mut member = sample::member("3.6.16");
    let posing = format!("x\n    runAsUser: {USER_HOLE}\n--initial-cluster-token={PLACEHOLDER}");
    member.flags.insert("auth-token".to_owned(), FlagValue::Text(posing.clone()));
    let text = Manifest::for_member(&member).unwrap().bind(Some(&token()), None);
    assert_eq!(text.matches(token().as_str()).count(), 1);
    let begins = |line: &&str| line.trim_start().starts_with("runAsUser");
    assert_eq!(text.lines().filter(begins).count(), 1, "{text}");
    assert!(command(&read(&text)).contains(&format!("--auth-token={posing}")));
}

#[test]
fn a_kubelet_puts_nothing_into_an_argument() {
    let value = format!("$ $$ $$$ $({IDENTITY}) $$({IDENTITY}) ${{HOME}} $(");
    let mut member = sample::member("3.6.16");
    member.flags.insert("auth-token".to_owned(), FlagValue::Text(value.clone()));
    let manifest = Manifest::for_member(&member).unwrap();
    assert!(command(&read(manifest.as_str())).contains(&format!("--auth-token={value}")));
}

proptest! {
    #[test]
    fn whatever_a_value_is_another_reader_gives_it_back(
        values in proptest::collection::vec("[^\0\u{fffe}\u{ffff}]*", 3)
    ) {
        let mut member = sample::member("3.6.16");
        for (flag, value) in ["auth-token", "cipher-suites", "cors"].into_iter().zip(values) {
            member.flags.insert(flag.to_owned(), FlagValue::Text(value));
        }
        let manifest = Manifest::for_member(&member).unwrap();
        let mut command = command(&read(manifest.as_str()));
        prop_assert_eq!(command.remove(0), "etcd");
        prop_assert_eq!(command, member.arguments());
        // Each argument is one line, which begins as no other line of ours does.
        let lines = manifest.as_str().lines().filter(|line| line.contains("--")).count();
        prop_assert_eq!(lines, member.arguments().len());
    }
}

/// A kubelet reads YAML 1.1, in which more words are no text than in 1.2.
#[test]
fn a_name_that_yaml_takes_for_something_else_is_quoted() {
    let words =
        ["on", "off", "yes", "no", "y", "n", "null", "true", "1e3", "0x1f", "0o17", "12", "017"];
    for word in words {
        let cluster = ClusterName::new(word).unwrap();
        let member = Member { cluster, ..sample::member("3.6.16") };
        let manifest = Manifest::for_member(&member).unwrap();
        let key = "app.kubernetes.io/instance: ";
        let line = manifest.as_str().lines().find(|line| line.contains(key)).unwrap();
        let value = line.trim().strip_prefix(key).unwrap();
        assert!(value == format!("\"{word}\"") || value == format!("'{word}'"), "{line}");
    }
}
