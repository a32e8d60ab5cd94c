//! Values that a shell, a unit or a terminal might trip over, through a whole apply: they arrive as
//! they are, or are refused before anything is sent, and nothing in them is run.

use std::fs;

use quorate_lab::site::{Delivery, Runtime};
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, here, on, options};

scenarios! {
    hostile_values_arrive_as_they_are_and_run_nothing,
}

/// A command that must never run: if it does, it leaves a file of this name.
const CANARY: &str = "/tmp/quorate-canary";

/// Flags of etcd that take any text and do nothing with it here.
const FLAGS: [&str; 4] = [
    "host-whitelist",
    "distributed-tracing-address",
    "distributed-tracing-service-name",
    "distributed-tracing-instance-id",
];

/// Two values for each flag: an apply forms the cluster with one, and rolls to the other.
fn values(round: usize) -> Vec<String> {
    let shell = format!(
        "$(touch {CANARY}) `touch {CANARY}` ; touch {CANARY} & | > < ( ) {{ }} * ? ~ ! # 'a'b' \"c\"d\""
    );
    let systemd =
        "%i %n %% %h $HOME ${HOME} $$ @-:+! \\x41\\n \\\\ \\ ' ExecStartPre=/bin/false".to_owned();
    let leading = format!("--name=evil -x -oProxyCommand=touch${{IFS}}{CANARY} --");
    let strange =
        "é 日本語 \u{1f512} q\u{301} \u{5d0} /../../etc/passwd @BOOTSTRAP_TOKEN@ {{ x }} \\"
            .to_owned();
    let long = "x'\"$(id)%i ".repeat(2000).trim_end().to_owned();
    let endings = format!("'; touch {CANARY}; '\" && touch {CANARY} #");
    let blanks = "a  b   c = d, e=f,,  ;;".to_owned();
    let flags = "-".to_owned();
    let all = [[shell, systemd, leading, strange], [long, endings, blanks, flags]];
    all[round].to_vec()
}

/// A text as TOML writes it.
fn quoted(value: &str) -> String {
    serde_json::to_string(value).unwrap().replace('\u{7f}', "\\u007f")
}

fn table(round: usize) -> String {
    let lines = FLAGS.iter().zip(values(round));
    let lines: String =
        lines.map(|(flag, value)| format!("{flag} = {}\n", quoted(&value))).collect();
    format!("[clusters.main.etcd]\n{lines}")
}

#[track_caller]
fn expect_arguments(stage: &Stage, round: usize) {
    for host in stage.hosts() {
        let arguments = on(&host, "tr '\\0' '\\n' <\"/proc/$(pgrep -x etcd)/cmdline\"; echo .");
        for (flag, value) in FLAGS.iter().zip(values(round)) {
            let wanted = format!("--{flag}={value}");
            assert!(
                arguments.lines().any(|argument| argument == wanted),
                "{}: {wanted:?} is not in\n{arguments}",
                host.name()
            );
        }
        expect_no_canary(&host);
    }
    assert!(!fs::exists(CANARY).unwrap(), "it ran on this machine");
}

#[track_caller]
fn expect_no_canary(host: &Host) {
    on(host, &format!("! test -e {CANARY} && test \"$(pgrep -xc etcd)\" = 1"));
}

pub(crate) fn hostile_values_arrive_as_they_are_and_run_nothing(runtime: Runtime) {
    let _ = fs::remove_file(CANARY);
    let site = SiteOptions { delivery: Delivery::Path, ..options(runtime) };
    let stage = Stage::ready("v-values", 3, &site);

    // Paths of the operator: the key and the archive lie in a folder of a hostile name.
    let folder = stage.folder().join("-a '\"$(touch canary)`touch canary`;%i $HOME é");
    fs::create_dir_all(&folder).unwrap();
    let value_of = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        line.split_once(" = \"").unwrap().1.trim_end_matches('"').to_owned()
    };
    stage.edit(|text| {
        let (key, archive) = (value_of(text, "identity-file"), value_of(text, "path"));
        let named = archive.replace("{version}", &NEWEST.to_string());
        let named = named.replace("{arch}", &quorate_lab::releases::architecture().unwrap());
        here("cp", &[&key, &folder.join("key").display().to_string()]);
        here(
            "cp",
            &[&named, &folder.join(named.rsplit('/').next().unwrap()).display().to_string()],
        );
        let name = archive.rsplit('/').next().unwrap();
        text.replace(&format!("{key:?}"), &quoted(&folder.join("key").display().to_string()))
            .replace(&format!("{archive:?}"), &quoted(&folder.join(name).display().to_string()))
            .replace("\n[pki]", &format!("\n{}\n[pki]", table(0)))
    });
    stage.run(&["validate"]).ends(0);
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    expect_arguments(&stage, 0);

    stage.edit(|text| text.replace(&table(0), &table(1)));
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    expect_arguments(&stage, 1);
    Members::of_main(NEWEST, 3).expect_whole(&stage);
    stage.run(&["status"]).ends(0);
    stage.run(&["history"]).ends(0);
    assert!(!stage.folder().join("canary").exists(), "it ran beside the inventory");

    expect_refusals(&stage);
}

/// What can't be a line of a unit, or is a name that becomes a path, is refused with what to do.
fn expect_refusals(stage: &Stage) {
    let good = fs::read_to_string(stage.inventory()).unwrap();
    let command = format!("x$(touch {CANARY})");
    let names =
        [&*command, "../../etc", "-rf", "a b", "a;b", "a\nb", "x\u{202e}y", "UPPER", "é", ""];
    let mut refused = Vec::new();
    for value in
        ["a\nExecStartPre=/bin/false", "a\r", "a\u{1b}[31m", "a\u{7f}", "a\u{85}b", "a\u{0}b"]
    {
        let line = format!("{} = {}\n", FLAGS[0], quoted(&values(1)[0]));
        refused.push(good.replace(&line, &format!("{} = {}\n", FLAGS[0], quoted(value))));
    }
    for name in names.map(quoted) {
        refused.push(good.replace("name = \"lab\"", &format!("name = {name}")));
        refused.push(good.replace("[hosts.etcd-1]", &format!("[hosts.{name}]")));
        refused.push(good.replace("[clusters.main]", &format!("[clusters.{name}]")));
        refused.push(good.replacen("address = \"", &format!("sans = [{name}]\naddress = \""), 1));
    }
    let mut count = 0;
    for text in refused {
        assert_ne!(text, good);
        fs::write(stage.inventory(), &text).unwrap();
        let run = stage.run(&["validate"]);
        // A DNS name may be in capitals.
        if text.contains("sans = [\"UPPER\"]") {
            continue;
        }
        let run = run.ends(65).says("help: ").does_not_say("\u{1b}").does_not_say("\u{202e}");
        drop(run);
        count += 1;
    }
    fs::write(stage.inventory(), good).unwrap();
    println!("{count} hostile inventories refused, each with what to write instead");
    for host in stage.hosts() {
        expect_no_canary(&host);
    }
    assert!(!fs::exists(CANARY).unwrap(), "it ran on this machine");
}
