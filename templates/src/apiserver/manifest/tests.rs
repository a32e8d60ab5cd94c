//! The corpus is in `templates/tests/manifests/`: each file is edited, and beside it is what changes, or why it is
//! refused. Set `REWRITE=1` to rewrite that, and read the diff.

mod corpus;
mod hostile;
mod kubeadm;
mod layouts;

use super::*;

/// What the corpus is edited to say.
fn wanted() -> Wanted {
    let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let flags = [
        set(
            "etcd-servers",
            "https://10.0.0.1:2379,https://10.0.0.2:2379,https://[2001:db8::3]:2379",
        ),
        set("etcd-cafile", "/etc/quorate/kubernetes/prod/ca.crt"),
        set("etcd-certfile", "/etc/quorate/kubernetes/prod/client.crt"),
        set("etcd-keyfile", "/etc/quorate/kubernetes/prod/client.key"),
        set("etcd-prefix", "/registry"),
        ("etcd-servers-overrides".to_owned(), None),
    ];
    Wanted { flags: flags.into(), folder: Some("/etc/quorate/kubernetes/prod".to_owned()) }
}

#[test]
fn flags_image_and_version_are_read() {
    let text = include_str!("../../../tests/manifests/edited/args-and-pairs.yaml");
    let manifest = Manifest::read(text).unwrap();
    let flags: Vec<_> =
        manifest.flags().iter().map(|f| (f.name.as_str(), f.value.as_deref(), f.line)).collect();
    assert_eq!(
        flags,
        [
            ("allow-privileged", None, 12),
            ("etcd-servers", Some("https://old-1:2379"), 13),
            ("etcd-keyfile", Some("/etc/kubernetes/pki/old.key"), 16),
            ("etcd-servers-overrides", Some("/events#https://old-3:2379"), 18),
            ("secure-port", Some("6443"), 20),
        ]
    );
    assert_eq!(manifest.version(), Some("1.32.0"));
}

#[test]
fn a_version_is_reported_only_by_a_tag() {
    let version = |image: &str| {
        let text = format!(
            "kind: Pod\nspec: {{containers: [{{name: kube-apiserver, image: '{image}', command: [kube-apiserver]}}]}}"
        );
        Manifest::read(&text).unwrap().version().map(str::to_owned)
    };
    assert_eq!(version("localhost:5000/kube-apiserver:v1.34.4"), Some("1.34.4".to_owned()));
    assert_eq!(version("r/kube-apiserver:v1.35.0-rc.1"), Some("1.35.0-rc.1".to_owned()));
    for unknown in
        ["localhost:5000/kube-apiserver", "r/kube-apiserver:latest", "r/a@sha256:0123", ""]
    {
        assert_eq!(version(unknown), None, "{unknown}");
    }
}

#[test]
fn a_dollar_reaches_kube_apiserver_as_it_is() {
    let text = include_str!("../../../tests/manifests/edited/variables.yaml");
    let flags = [("etcd-prefix".to_owned(), Some("/$(SERVERS)".to_owned()))];
    let wanted = Wanted { flags: flags.into(), folder: None };
    let edited = Manifest::read(text).unwrap().edited(&wanted).unwrap();
    assert!(edited.contains("- --etcd-prefix=/$$(SERVERS)\n"), "{edited}");
}

#[test]
fn what_is_not_one_line_of_ascii_is_not_written() {
    let text = include_str!("../../../tests/manifests/edited/kubeadm-stacked.yaml");
    let manifest = Manifest::read(text).unwrap();
    for value in ["a\nb", "a\tb", "\u{2028}", "é"] {
        let flags = [("etcd-prefix".to_owned(), Some(value.to_owned()))];
        let error = manifest.edited(&Wanted { flags: flags.into(), folder: None }).unwrap_err();
        assert_eq!(error.why, Why::Unprintable("--etcd-prefix".to_owned()), "{value:?}");
    }
}

#[test]
fn nothing_wanted_changes_nothing() {
    let text = include_str!("../../../tests/manifests/edited/comments-and-quotes.yaml");
    assert_eq!(Manifest::read(text).unwrap().edited(&Wanted::default()).unwrap(), text);
}
