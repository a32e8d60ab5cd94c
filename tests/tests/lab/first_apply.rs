//! From nothing to a running cluster, and then nothing is left to do.

use quorate_lab::releases::Version;
use quorate_lab::site::{Delivery, Family, Runtime};
use quorate_lab::ssh::User;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Run, Stage, here, on, options, serves};

scenarios! {
    three_members_of_3_5,
    three_members_of_3_6_and_a_second_apply_leaves_every_file_alone,
    three_members_of_3_7,
    one_member_pushed_by_a_user_with_sudo,
    five_members_pushed_by_root,
    three_members_by_ipv6_alone,
    two_clusters_on_the_same_hosts_share_one_client_ca,
}

/// Forms a cluster of all hosts of a lab, from a plan that says what it will do.
fn form(name: &str, hosts: u8, options: &SiteOptions) -> Stage {
    let stage = Stage::ready(name, hosts, options);
    stage.run(&["plan", "--detailed-exitcode"]).ends(2).says("not formed yet");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let plan = stage.expect_nothing_to_do();
    let seconds = [apply.took, plan.took].map(|took| took.as_secs_f64());
    println!(
        "etcd {}, {hosts} member(s): first apply {:.1} s, plan without changes {:.1} s",
        options.version, seconds[0], seconds[1]
    );
    Members::of_main(options.version, usize::from(hosts)).expect_whole(&stage);
    stage.run(&["status"]).ends(0);
    stage
}

fn at(version: Version, runtime: Runtime) -> SiteOptions {
    SiteOptions { version, ..options(runtime) }
}

#[test]
fn three_members_of_3_4() {
    form("s-34", 3, &at(Version::new(3, 4, 23), Runtime::Systemd));
}

pub(crate) fn three_members_of_3_5(runtime: Runtime) {
    form("s-35", 3, &at(Version::new(3, 5, 35), runtime));
}

pub(crate) fn three_members_of_3_6_and_a_second_apply_leaves_every_file_alone(runtime: Runtime) {
    let stage = form("s-36", 3, &at(NEWEST, runtime));
    let before = stage.traces().without_data();
    stage.run(&["apply", "--yes"]).ends(0).says("No changes");
    stage.traces().without_data().expect_same_as(&before);
    for host in stage.hosts() {
        host.reboot().unwrap();
    }
    stage.hosts().iter().for_each(serves);
    stage.expect_nothing_to_do();
}

pub(crate) fn three_members_of_3_7(runtime: Runtime) {
    form("s-37", 3, &at(Version::new(3, 7, 3), runtime));
}

pub(crate) fn one_member_pushed_by_a_user_with_sudo(runtime: Runtime) {
    let options = SiteOptions {
        user: User::Ops,
        delivery: Delivery::Path,
        ..at(Version::new(3, 7, 3), runtime)
    };
    let stage = form("s-one", 1, &options);
    stage.run(&["plan"]).ends(0).does_not_say("blocked");
}

pub(crate) fn five_members_pushed_by_root(runtime: Runtime) {
    form(
        "s-five",
        5,
        &SiteOptions { delivery: Delivery::Path, ..at(Version::new(3, 5, 35), runtime) },
    );
}

#[test]
fn three_members_of_3_4_downloaded_by_a_user_with_sudo() {
    form(
        "s-sudo",
        3,
        &SiteOptions { user: User::Ops, ..at(Version::new(3, 4, 23), Runtime::Systemd) },
    );
}

pub(crate) fn three_members_by_ipv6_alone(runtime: Runtime) {
    let stage = form("s-six", 3, &SiteOptions { family: Family::V6, ..at(NEWEST, runtime) });
    let listens =
        on(&stage.host(1), "ss -Hltn 'sport = 2379 or sport = 2380' | awk '{ print $4 }'");
    let outside = listens.lines().filter(|at| !at.starts_with("127.0.0.1:")).collect::<Vec<_>>();
    let address = stage.host(1).address_v6();
    assert_eq!(outside.len(), 2, "{listens}");
    assert!(outside.iter().all(|at| at.starts_with(&format!("[{address}]:"))), "{listens}");
}

/// A second cluster on the hosts of the first, as its inventory says it.
pub(crate) fn events(stage: &Stage) -> String {
    let runtime = stage.by_runtime("systemd", "static-pod");
    format!(
        "\n[clusters.events]\nversion = \"{NEWEST}\"\nruntime = \"{runtime}\"\n\
         members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]\n\
         ports = {{ client = 2382, peer = 2383, metrics = 2384 }}\nclient-ca = \"main\"\n\n[pki]"
    )
}

pub(crate) fn two_clusters_on_the_same_hosts_share_one_client_ca(runtime: Runtime) {
    let options = at(NEWEST, runtime);
    let stage = Stage::empty_for("s-two", 3, &options);
    stage.lab.site(stage.folder(), &options).unwrap();
    stage.edit(|text| text.replace("\n[pki]", &events(&stage)));
    let own_account = || {
        let cluster = "[clusters.events]\n";
        stage.edit(|text| text.replace(cluster, &format!("{cluster}account = \"etcd-events\"\n")));
    };
    // A roll of pods takes long, and shows here what one of units does.
    if runtime == Runtime::StaticPod {
        own_account();
    }
    stage.run(&["pki", "init"]).ends(0);
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    stage.run(&["status"]).ends(0).says("main").says("events");
    let main = Members::of_main(NEWEST, 3);
    let events = Members { cluster: "events", client_port: 2382, ..main };
    main.expect_whole(&stage);
    events.expect_whole(&stage);
    assert_ne!(main.id(&stage.host(1)), events.id(&stage.host(1)));
    if runtime == Runtime::Systemd {
        crate::security::a_taken_over_etcd_reads_nothing_of_another_cluster(&stage.host(1));
        stage.run(&["plan"]).ends(0).says("shared-account");
        own_account();
        stage.run(&["apply", "--yes"]).ends(0).says("which is not etcd-events's");
        stage.expect_nothing_to_do();
        events.expect_whole(&stage);
    }
    for host in stage.hosts() {
        let (of_main, of_events) = (owners(&host, "main"), owners(&host, "events"));
        assert_eq!((of_main.as_str(), of_events.as_str()), ("etcd", "etcd-events"));
    }

    let certificate =
        ["client-cert", "--cluster", "main", "--cn", "kube-apiserver", "--out", "api"];
    stage.run(&certificate).ends(0);
    let get = |port: u16| {
        let url = format!("https://{}:{port}/health", stage.host(2).address());
        let file = |name: &str| stage.folder().join("api").join(name).display().to_string();
        let (ca, cert, key) =
            (file("ca.crt"), file("kube-apiserver.crt"), file("kube-apiserver.key"));
        let arguments = ["-sf", "--cacert", &ca, "--cert", &cert, "--key", &key, &url];
        here("curl", &arguments)
    };
    assert!(get(2379).contains("true"));
    assert!(get(2382).contains("true"));
}

/// Whose a cluster's data, key and process are on a host.
fn owners(host: &Host, cluster: &str) -> String {
    let said = on(
        host,
        &format!(
            "d=/var/lib/etcd/{cluster}
             stat -c %U $d $d/member $d/member/snap/db /etc/etcd/{cluster}/pki/current/server.key
             stat -c %G /etc/etcd/{cluster}/pki
             ps -o user:32= -p \"$(pgrep -f -- \"etcd .*--data-dir=$d\")\" | tr -d ' '"
        ),
    );
    let mut names: Vec<&str> = said.lines().collect();
    names.dedup();
    names.join(" ")
}

#[test]
fn from_nothing_in_three_commands() {
    let stage = Stage::empty("s-init", 3);
    let mirror = stage.lab.mirror_url();
    let login = |host: &Host| format!("root@{}", host.address());
    let logins: Vec<String> = stage.hosts().iter().map(login).collect();
    let key = quorate_lab::ssh::ensure_operator_key().unwrap();
    let home = stage.folder().join("home/.ssh");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::copy(key, home.join("id_ed25519")).unwrap();

    let mut init = vec!["init", "--plain-keys"];
    init.extend(logins.iter().map(String::as_str));
    let mut command = stage.command(&init);
    // The official checksums are out of reach from here, which is reported and stops nothing.
    command.env("https_proxy", "http://127.0.0.1:9");
    Run::new(command, &init).ends(0).says("quorate trust").says("quorate apply");
    // The lab is a site without the internet: it has a mirror of its own.
    stage.edit(|text| {
        text.replace("# [release] ", "[release] ")
            .replace("# url = \"https://mirror.example.net/etcd/", &format!("url = \"{mirror}/"))
    });
    stage.run(&["release", "pin", &NEWEST.to_string()]).ends(0);
    stage.run(&["trust", "--yes"]).ends(0);
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    stage.run(&["status"]).ends(0);
}
