//! What we read, held against what `ssh -G` reads.

mod damaged;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::files::{Reading, ask, include};
use super::shell::Answers;
use super::{Commands, ConfigError, ConfigProblem, Settings, Source, Subject, resolve};

const HOSTS: [&str; 5] = ["web1", "web2.example.net", "db", "10.0.0.1", "WEB1"];

/// Each is a file; `{dir}` is a folder that has the files of [`INCLUDED`].
const CONFIGS: [&str; 32] = [
    "",
    "Host web* !web2*\n User a\n Port 2222\nHost *\n User b\n",
    "Host web?\n  HostName %h.example.net\n  IdentityFile ~/.ssh/%h\n  IdentityFile=/x\n IdentityFile /x\nIdentityFile \"/with space\"\n",
    "Host web1 db\nUser = first\nUser second\nHost db web1\nPort 7\nUser third\n",
    "Match host web*,!web1\n User matched\nMatch originalhost db\n HostName other\nMatch host other\n Port 99\n",
    "User early\nMatch user early host db\n Port 5\nMatch user late\n Port 6\nMatch !user late\n ConnectTimeout 3\n",
    "Host web1\n HostName final.example.net\nMatch final host final.*\n User finally\nMatch final all\n Port 8\n",
    "Match canonical all\n User never\nMatch all\n User all\n",
    "Host db\n HostName target\nHost target\n User in-final-pass\nMatch final\n Port 12\n",
    "Host web*\n Include {dir}/*.conf\n User after\nHost *\n User outside\nPort 1\n",
    "Include {dir}/a.conf {dir}/missing {dir}/[b].conf\nUser last\n",
    "IdentitiesOnly yes\nIdentityAgent ~/agent\n",
    "CertificateFile ~/.ssh/%h-cert.pub\nHost web1\n CertificateFile /c\n CertificateFile /c\n",
    "UserKnownHostsFile /k1 /k2\nGlobalKnownHostsFile /g\nHostKeyAlias Alias\nUserKnownHostsFile /k3\n",
    "ConnectTimeout 1m30\nServerAliveInterval 1h\nServerAliveCountMax 9\nAddressFamily inet6\n",
    "ConnectTimeout none\nIdentityAgent none # with a note\nIdentityAgent x\n# User c\n\tUser\td\t\r\n",
    "Match localuser {user} host=web1\n User local\nMatch !localuser {user}\n User remote\n",
    "Host \"web1\" '10.*'\n User 'quoted name'\n IdentityFile a\\ b\\\"c\n",
    "Host web1\nProxyJump a@b:22,c\nHost db\nProxyJump none\nHost *\nProxyJump last\nProxyCommand never\n",
    "Match host db\n ProxyCommand none\nMatch all\n ProxyJump [::1]:7\n",
    "Match exec \"test %n = web1\"\n User asked\nMatch !exec true host db\n User never\nMatch host db !exec \"exit 3\"\n Port 9\n",
    "Match host web* exec \"test %h = web2.example.net\"\n Port 5\nMatch final exec \"test %p = 5\"\n User last\n",
    "Host web1\n ProxyCommand   =\"nc\" -X \"%h\" %p  # kept\nHost *\n ProxyCommand none\n ProxyJump late\n",
    "ProxyJump gate\nProxyCommand late\n",
    "Host web*\nProxyJump none\nHost web1 db\nProxyCommand late\nHost db\nProxyCommand none\nMatch all\nProxyJump last\n",
    "ProxyCommand first %h\nProxyJump late\nProxyCommand none\n",
    "Host 10.*\n HostName FE80::A%%Eth0\nHost web1\n HostName FE80::B\nHost db\n HostName Db.Example\n",
    "CanonicalizeHostname yes\nMatch canonical host 10.*,web1\n Port 99\nMatch final\n User f\n",
    "Host 10.*\n CanonicalizeHostname yes\n CanonicalDomains example.net\nMatch canonical\n Port 99\n",
    "Match exec \"A=1 test %n = web1\"\n User asked\nMatch exec=\"A=1 test %n = db\" host=db\n Port 8\n",
    OFFICE,
    "HoSt *\n hostNAME h%%x\n uSER X\n proxycommand none\n",
];

/// As people's own are, with all that is common in it.
const OFFICE: &str = "
Include {dir}/office.d/*  ~/.orbstack/ssh/missing
CanonicalizeHostname yes
CanonicalDomains example.net
CanonicalizeMaxDots 0
Host web1 db
  CanonicalizeHostname no
Host bastion
  HostName bastion.example.net
  ForwardAgent yes
Host web1 WEB1
  ProxyJump ops@bastion:2222
  IdentityFile ~/.ssh/keys/%r@%h
  LocalForward 8080 localhost:80
Host db
  ProxyCommand aws ssm start-session --target %h --parameters 'portNumber=%p' --document-name AWS-StartSSHSession
  User ec2-user
Match host 10.* exec \"test -d /\"
  User core
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
Match originalhost *.example.net !exec \"false\"
  IdentityAgent \"~/Library/Group Containers/agent.sock\"
  IdentitiesOnly yes
Host *
  ControlMaster auto
  ControlPath ~/.ssh/cm-%C
  ControlPersist 10m
  ServerAliveInterval 30
  AddKeysToAgent yes
  HashKnownHosts yes
  SendEnv LANG LC_*
  GSSAPIAuthentication no
  VisualHostKey no
  TCPKeepAlive yes
  Compression yes
  IdentityFile ~/.ssh/id_ed25519
  ConnectTimeout 10
  UpdateHostKeys yes
";

const INCLUDED: [(&str, &str); 3] = [
    ("a.conf", "User from-a\nHost web1\n Port 11\nHost *\n ConnectTimeout 4\n"),
    ("b.conf", "User from-b\nHostKeyAlias b\n"),
    ("note.txt", "User wrong\n"),
];

#[test]
fn every_file_is_read_as_ssh_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in INCLUDED {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let whoami = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(whoami).unwrap().trim().to_owned();
    for config in CONFIGS {
        let text = config.replace("{dir}", dir.path().to_str().unwrap()).replace("{user}", &user);
        let file = dir.path().join("config");
        std::fs::write(&file, &text).unwrap();
        for host in HOSTS {
            let found = read(&text, host, &user, dir.path());
            let settings = found.unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(shown(&settings, &user), reference(&file, host), "{host}\n{text}");
        }
    }
}

/// A file of the operator's.
fn source(name: &str, text: &str) -> Source {
    let (name, text) = (name.to_owned(), text.to_owned());
    Source { name, text, folder: String::new(), commands: Commands::Run }
}

/// Nobody is asked whether a command holds: none does.
fn nobody(_: &str, _: &Settings) -> Result<bool, ConfigProblem> {
    Ok(false)
}

fn read(text: &str, host: &str, local_user: &str, home: &Path) -> Result<Settings, ConfigError> {
    let source = Source { folder: "/nonexistent".to_owned(), ..source("config", text) };
    let load = |pattern: &str, from: &Source| include(pattern, from, home);
    let subject = Subject { host, local_user };
    let reading =
        Reading { home, which: &super::files::Which::Usual, answers: &Answers::default() };
    resolve(subject, Settings::default(), &[source], &load, &|command, settings| {
        ask(command, subject, settings, reading)
    })
}

/// What ssh makes of it; what it leaves out was not set.
fn reference(file: &Path, host: &str) -> BTreeMap<String, String> {
    let output = Command::new("ssh").arg("-G").arg("-F").arg(file).arg(host).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let (keyword, value) = line.split_once(' ').unwrap();
        if KEYWORDS.contains(&keyword) {
            let entry = found.entry(keyword.to_owned()).or_default();
            entry.push_str(value);
            entry.push('\n');
        }
    }
    found
}

const KEYWORDS: [&str; 16] = [
    "hostname",
    "user",
    "port",
    "identityfile",
    "certificatefile",
    "identitiesonly",
    "identityagent",
    "userknownhostsfile",
    "globalknownhostsfile",
    "hostkeyalias",
    "connecttimeout",
    "serveraliveinterval",
    "serveralivecountmax",
    "addressfamily",
    "proxyjump",
    "proxycommand",
];

/// Our reading in the form of [`reference`], with ssh's defaults.
fn shown(settings: &Settings, user: &str) -> BTreeMap<String, String> {
    let home = std::env::home_dir().unwrap().display().to_string();
    let filled = |path: &str| match path.strip_prefix('~') {
        Some(below) => format!("{home}{below}"),
        None => path.to_owned(),
    };
    let mut found = BTreeMap::new();
    let mut show = |keyword: &str, value: Option<String>| {
        if let Some(value) = value {
            found.insert(keyword.to_owned(), format!("{value}\n"));
        }
    };
    let or = |value: Option<String>, default: &str| value.or(Some(default.to_owned()));
    show("hostname", settings.host_name.clone());
    show("user", or(settings.user.clone(), user));
    show("port", or(settings.port.map(|port| port.to_string()), "22"));
    let usual = ["rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"]
        .map(|kind| format!("~/.ssh/id_{kind}"));
    let files =
        if settings.identity_files.is_empty() { &usual[..] } else { &settings.identity_files };
    show("identityfile", Some(files.join("\n")));
    let certificates = &settings.certificate_files;
    show("certificatefile", (!certificates.is_empty()).then(|| certificates.join("\n")));
    let only = settings.identities_only.map(|only| if only { "yes" } else { "no" }.to_owned());
    show("identitiesonly", or(only, "no"));
    show("identityagent", settings.identity_agent.as_deref().map(filled));
    show("hostkeyalias", settings.host_key_alias.clone());
    let known = settings.user_known_hosts.clone().map(|files| files.join(" "));
    show(
        "userknownhostsfile",
        or(
            known,
            &filled("~/.ssh/known_hosts ~/.ssh/known_hosts2").replace(" ~", &format!(" {home}")),
        ),
    );
    let known = settings.global_known_hosts.clone().map(|files| files.join(" "));
    show("globalknownhostsfile", or(known, "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"));
    let timeout = settings.connect_timeout.flatten().map(|time| time.as_secs().to_string());
    show("connecttimeout", or(timeout, "none"));
    let interval = settings.alive_interval.map(|time| time.as_secs().to_string());
    show("serveraliveinterval", or(interval, "0"));
    show("serveralivecountmax", or(settings.alive_count.map(|count| count.to_string()), "3"));
    show("proxycommand", settings.carrier().map(str::to_owned));
    show("proxyjump", settings.proxy_jump.clone().filter(|hops| hops != "none"));
    let family = match settings.family.unwrap_or_default() {
        super::Family::Any => "any",
        super::Family::V4 => "inet",
        super::Family::V6 => "inet6",
    };
    show("addressfamily", Some(family.to_owned()));
    found
}

fn problem(text: &str) -> (String, ConfigProblem) {
    let error = read(text, "web1", "ada", Path::new("/nonexistent")).unwrap_err();
    (error.place, error.problem)
}

#[test]
fn what_would_lead_elsewhere_and_is_not_supported_is_named_with_its_line() {
    for (text, place, words) in [
        (
            "\nCanonicalizeHostname yes\nCanonicalDomains example.net\n",
            "config:2",
            "CanonicalizeHostname is not supported",
        ),
        (
            "CanonicalizeHostname maybe\n",
            "config:1",
            "the value of CanonicalizeHostname cannot be read: 'maybe'",
        ),
        ("BindAddress 10.0.0.1\n", "config:1", "BindAddress is not supported"),
        ("Host web1\n BindInterface eth1\n", "config:2", "BindInterface is not supported"),
        ("RevokedHostKeys /krl\n", "config:1", "RevokedHostKeys is not supported"),
        ("KnownHostsCommand /keys %H\n", "config:1", "KnownHostsCommand is not supported"),
        (
            "Match host web1 localnetwork 10.0.0.0/8\n LogLevel DEBUG\n HostName elsewhere\n",
            "config:3",
            "'Match localnetwork' is not supported, and this block sets HostName",
        ),
        (
            "Match localnetwork 10.0.0.0/8\nHost web1\nMatch version x\nUser y\n",
            "config:4",
            "'Match version' is not supported, and this block sets User",
        ),
        ("Match exec \"test %X\"\n", "config:1", "%X in 'test %X' cannot be filled in"),
        ("Port many\n", "config:1", "the value of Port cannot be read: 'many'"),
        ("User\n", "config:1", "the value of User cannot be read: ''"),
        ("User \"a\n", "config:1", "a quote is not closed"),
        ("Match weather rain\n", "config:1", "the Match line cannot be read at 'weather'"),
        ("Match host\n", "config:1", "the Match line cannot be read at 'host'"),
        ("Match host a all\n", "config:1", "the Match line cannot be read at 'all'"),
    ] {
        let (at, problem) = problem(text);
        assert_eq!((at.as_str(), problem.to_string().as_str()), (place, words), "{text}");
    }
}

#[test]
fn what_changes_nothing_is_passed_over() {
    for text in [
        "Match version x\n LogLevel DEBUG\n ForwardAgent yes\n",
        "User a\nMatch version x\n User b\n",
        "Match host db exec %X\n User b\n ProxyCommand x\n",
        "Match version x exec %X\n LogLevel DEBUG\n",
        "Host db\n ProxyCommand x\n",
        "CanonicalizeHostname no\nCanonicalizeHostname yes\n",
        "ProxyCommand none\nProxyCommand x\n",
        "ControlMaster auto\nStrictHostKeyChecking no\nNonsense 1\n",
    ] {
        let found = read(text, "web1", "ada", Path::new("/nonexistent"));
        assert!(found.is_ok(), "{text}{found:?}");
    }
}

/// The ssh that tests run against is older than these.
#[test]
fn criteria_of_newer_ssh_are_followed() {
    for (text, port) in [
        ("Tag prod\nTag other\nMatch tagged prod,x\n Port 7\n", Some(7)),
        ("Match tagged prod\n Port 7\n", None),
        ("Match !tagged prod\n Port 7\n", Some(7)),
        ("Match sessiontype shell,exec\n Port 7\n", Some(7)),
        ("Match sessiontype shell\n Port 7\n", None),
    ] {
        let settings = read(text, "web1", "ada", Path::new("/nonexistent")).unwrap();
        assert_eq!(settings.port, port, "{text}");
    }
}

#[test]
fn a_command_is_asked_with_what_ssh_fills_in() {
    let dir = tempfile::tempdir().unwrap();
    let home = std::env::home_dir().unwrap();
    let whoami = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(whoami).unwrap().trim().to_owned();
    let text = |answers: &str| {
        format!(
            "Host web1\n HostName %h.example.net\n Port 77\n User ops\nHost db\n HostKeyAlias al\n\
             Match exec \"echo '%n %h %p %r %k %l %L %i %u %d %%' $HOME >> {}/{answers}\"\n",
            dir.path().display()
        )
    };
    let file = dir.path().join("config");
    std::fs::write(&file, text("ssh")).unwrap();
    // ssh folds the case of a name after it has asked.
    let hosts = HOSTS.iter().filter(|host| **host != "WEB1");
    for host in hosts.clone() {
        reference(&file, host);
        read(&text("ours"), host, &user, &home).unwrap();
    }
    let [theirs, ours] =
        ["ssh", "ours"].map(|name| std::fs::read_to_string(dir.path().join(name)).unwrap());
    assert_eq!(ours.lines().count(), hosts.count());
    assert_eq!(ours, theirs);
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("Include {}/loop\n", dir.path().display());
    std::fs::write(dir.path().join("loop"), &text).unwrap();
    let error = read(&text, "web1", "ada", dir.path()).unwrap_err();
    assert_eq!(error.problem, ConfigProblem::Depth);
}

/// Each file includes the next one ten times: without a bound, 10^16 readings.
#[test]
fn files_that_include_others_again_and_again_are_refused() {
    let started = std::time::Instant::now();
    let load = |pattern: &str, _: &Source| {
        let next: u32 = pattern.parse::<u32>().unwrap() + 1;
        Ok(vec![source(pattern, &format!("Include {next}\n").repeat(10))])
    };
    let sources = [source("c", "Include 1\n")];
    let subject = Subject { host: "h", local_user: "u" };
    let error = resolve(subject, Settings::default(), &sources, &load, &nobody).unwrap_err();
    assert!(matches!(error.problem, ConfigProblem::TooMany | ConfigProblem::Depth), "{error}");
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn many_files_beside_each_other_may_be_included() {
    let load = |_: &str, _: &Source| {
        let file = |number: u32| {
            source(&format!("{number}.conf"), &format!("Host other{number}\n Port 1\n"))
        };
        Ok((0..900).map(file).collect())
    };
    let sources = [source("c", "Include *\nPort 7\nMatch final\n")];
    let subject = Subject { host: "h", local_user: "u" };
    let settings = resolve(subject, Settings::default(), &sources, &load, &nobody).unwrap();
    assert_eq!(settings.port, Some(7));
}
