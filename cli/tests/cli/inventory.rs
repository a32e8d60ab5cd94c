//! Reading, writing and pinning inventories.

use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{RECIPIENT, Sandbox, site, snapshot};

#[test]
fn every_mistake_is_reported_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "quorate.toml",
        "[site]\nname = \"Prod!\"\n\
         [hosts.etcd-1]\naddres = \"10.0.0.1\"\n\
         [clusters.main]\nversion = \"3.9.1\"\nmembers = [\"etcd-1\", \"etcd-9\"]\n",
    );
    let ended = sandbox.run(&["validate"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (65, ""));
    snapshot("mistakes.txt", &ended.stderr);
}

#[test]
fn a_missing_inventory_names_the_way_to_one() {
    let ended = Sandbox::new().run(&["plan"]);
    assert_eq!(ended.code, 65);
    assert!(ended.stderr.contains("quorate.toml"), "{}", ended.stderr);
    assert!(ended.stderr.contains("quorate init"), "{}", ended.stderr);
}

#[test]
fn what_is_no_inventory_is_refused() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("binary"), b"\xff\xfe\0").unwrap();
    for path in ["binary", ".", "/dev/zero"] {
        let ended = sandbox.run(&["validate", "-i", path]);
        assert_eq!(ended.code, 65, "{path}: {}", ended.stderr);
    }
}

#[test]
fn a_sound_inventory_is_called_sound() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["validate"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("cluster main lacks a CA"), "{}", ended.stderr);
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let ended = sandbox.run(&["validate"]);
    let expected = "quorate.toml: site lab is valid\n  \
                    cluster main: etcd 3.6.16, etcd-1, etcd-2, etcd-3\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (expected, ""));
}

#[test]
fn includes_are_relative_to_the_inventory() {
    let sandbox = Sandbox::with_site();
    let main = format!("include = [\"../common.toml\"]\n{}", sandbox.read("quorate.toml"));
    sandbox.write("sites/a.toml", &main);
    let ended = sandbox.run(&["validate", "-i", "sites/a.toml"]);
    assert_eq!(ended.code, 65);
    assert!(ended.stderr.contains("sites/a.toml:1:"), "{}", ended.stderr);
    sandbox.write("common.toml", "[defaults.ssh]\nconnect-timeout = \"3s\"\n");
    let ended = sandbox.run(&["validate", "-i", "sites/a.toml"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn the_inventory_is_named_by_flag_then_environment() {
    let sandbox = Sandbox::with_site();
    std::fs::rename(sandbox.path("quorate.toml"), sandbox.path("a.toml")).unwrap();
    let code = |command: &mut std::process::Command| command.output().unwrap().status.code();
    assert_eq!(code(sandbox.command(&["validate"]).env("QUORATE_INVENTORY", "a.toml")), Some(0));
    let both = ["validate", "-i", "b.toml"];
    assert_eq!(code(sandbox.command(&both).env("QUORATE_INVENTORY", "a.toml")), Some(65));
}

#[test]
fn init_writes_a_site_that_only_lacks_what_it_could_not_fetch() {
    let sandbox = Sandbox::new();
    let hosts = ["root@10.0.0.1", "root@10.0.0.2", "ops@10.0.0.3:2222"];
    let arguments = [&["init", "--site", "prod", "--recipient", RECIPIENT], &hosts[..]].concat();
    let ended = sandbox.run(&arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("quorate release pin 3.6."), "{}", ended.stderr);
    assert!(sandbox.path("pki/main/peer-ca.key.age").exists());

    let again = sandbox.run(&arguments);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("already"), "{}", again.stderr);

    let text = sandbox.read("quorate.toml");
    sandbox.write(
        "mirror/SHA256SUMS",
        &format!("{}  etcd-v3.6.16-linux-amd64.tar.gz\n", "a".repeat(64)),
    );
    let path = "path = \"mirror/etcd-v{version}-linux-{arch}.tar.gz\"";
    sandbox.write("quorate.toml", &text.replace("# [release] ", &format!("[release]\n{path}\n# ")));
    let pinned = sandbox.run(&["release", "pin", "3.6.16"]);
    assert_eq!(pinned.code, 0, "{}", pinned.stderr);
    assert!(sandbox.read("quorate.toml").contains(&"a".repeat(64)));
    assert!(sandbox.read("quorate.toml").contains("# One file is one site"), "a comment was lost");
    let valid = sandbox.run(&["validate"]);
    assert_eq!(valid.code, 0, "{}", valid.stderr);

    let sums = |digit: &str, version: &str| {
        format!("{}  etcd-v{version}-linux-amd64.tar.gz\n", digit.repeat(64))
    };
    sandbox.write("mirror/SHA256SUMS", &(sums("b", "3.5.35") + &sums("c", "3.7.3")));
    let before = sandbox.read("quorate.toml");
    assert_ne!(sandbox.run(&["release", "pin", "3.5.35", "3.7.2"]).code, 0);
    assert_eq!(sandbox.read("quorate.toml"), before, "all of them or none");
    assert_eq!(sandbox.run(&["release", "pin", "3.5.35", "3.7.3"]).code, 0);
    for digit in ["b", "c"] {
        assert!(sandbox.read("quorate.toml").contains(&digit.repeat(64)));
    }
}

#[test]
fn init_does_not_guess_who_opens_the_keys() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["init", "root@10.0.0.1"]);
    assert_eq!(ended.code, 64);
    for option in ["--recipient", "--plain-keys"] {
        assert!(ended.stderr.contains(option), "{}", ended.stderr);
    }
    assert!(!sandbox.path("quorate.toml").exists());
}

#[test]
fn init_takes_names_and_files_of_keys_and_blames_its_arguments() {
    let sandbox = Sandbox::new();
    sandbox.write("team.pub", &format!("# the team\n{RECIPIENT}\n\n"));
    let hosts = ["db-1=root@10.0.0.1", "root@10.0.0.2"];
    let ended = sandbox.run(&[&["init", "--recipient", "team.pub"], &hosts[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("set url to a mirror"), "{}", ended.stderr);
    let text = sandbox.read("quorate.toml");
    assert!(text.contains("[hosts.db-1]") && text.contains("[hosts.etcd-2]"), "{text}");
    assert!(text.contains(RECIPIENT), "{text}");

    sandbox.write("key", "AGE-SECRET-KEY-1QQ\n");
    let key = ["--recipient", RECIPIENT];
    for (arguments, words) in [
        (&["init", "root@10.0.0.1", "--recipient", "key"][..], "the file that ends in .pub"),
        (&["init", "root@10.0.0.1", "--recipient", "~/.ssh/x.pub"], "there is no file"),
        (&["init", "etcd-2=a@10.0.0.1", "a@10.0.0.2", key[0], key[1]], "would be called etcd-2"),
        (&["init", "a@10.77.2.999", key[0], key[1]], "10.77.2.999 is not an IP address"),
        (&["init", "A=a@10.0.0.1", key[0], key[1]], "a name that no host can have"),
        (&["init", "a@10.0.0.1"], "~/.ssh/id_ed25519.pub does not exist"),
    ] {
        let ended = sandbox.run(&[arguments, &["-i", "new.toml"]].concat());
        assert_eq!(ended.code, 64, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        assert!(!ended.stderr.contains("AGE-SECRET-KEY-1QQ"), "{}", ended.stderr);
        assert!(!sandbox.path("new.toml").exists());
    }
}

#[test]
fn an_edited_inventory_keeps_its_mode_and_its_place_behind_a_symlink() {
    let sandbox = Sandbox::with_site();
    let text = sandbox.read("quorate.toml");
    sandbox.write(
        "real/site.toml",
        &text.replace(
            "[release.sha256]",
            "[release]\npath = \"m/{version}-{arch}.tgz\"\n\n[release.sha256]",
        ),
    );
    let mode =
        |name: &str| std::fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(
        sandbox.path("real/site.toml"),
        std::fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    std::os::unix::fs::symlink("real/site.toml", sandbox.path("link.toml")).unwrap();
    sandbox.write("m/SHA256SUMS", &format!("{}  3.6.16-amd64.tgz\n", "b".repeat(64)));
    let ended = sandbox.run(&["release", "pin", "3.6.16", "-i", "link.toml"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.path("link.toml").is_symlink());
    assert!(sandbox.read("real/site.toml").contains(&"b".repeat(64)));
    assert_eq!(mode("real/site.toml"), 0o640);
}

#[test]
fn the_records_of_a_cluster_that_is_formed_by_dns_are_printed() {
    let sandbox = Sandbox::with_site();
    let none = sandbox.run(&["dns"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""), "{}", none.stderr);
    let by_dns = "[clusters.main]\nbootstrap = { dns-srv = { domain = \"example.net\" } }\n";
    let text = sandbox.read("quorate.toml").replace("[clusters.main]\n", by_dns);
    sandbox.write("quorate.toml", &text);
    let mut all = String::new();
    for arguments in [&["dns"][..], &["dns", "--cluster", "main", "--format", "hosts"]] {
        let ended = sandbox.run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        all += &format!("$ quorate {}\n{}\n", arguments.join(" "), ended.stdout);
    }
    snapshot("dns.txt", &all);
}

#[test]
fn hosts_are_trusted_before_a_checksum_is_pinned() {
    let sandbox = Sandbox::new();
    let text = site([1, 2, 3]);
    let (unpinned, _) = text.split_once("[release.sha256]").unwrap();
    sandbox.write("quorate.toml", unpinned);
    let ended = sandbox.run(&["trust", "--yes"]);
    assert!(ended.stderr.contains("warning[unpinned-release]"), "{}", ended.stderr);
    assert_eq!(ended.code, 4, "the hosts are asked, and not there: {}", ended.stderr);
    assert_eq!(sandbox.run(&["validate"]).code, 65);
}
