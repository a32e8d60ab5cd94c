//! The API servers: a script of its own on each of their hosts, and a second one only where an API server may use another
//! etcd than is wanted.
//!
//! A manifest may hold secrets. Its text is read here, and only what it says of etcd leaves this module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inventories::{HostName, KubernetesMode, KubernetesName};
use planner::SiteSpec;
use planner::facts::{ApiServerFacts, FileFacts, HostFacts, ManifestFacts, Observed, Wiring};
use templates::apiserver::manifest::Manifest;
use templates::layout::{ApiserverFile, ApiserverLayout};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::records::Records;
use super::unread::{Unread, observed};
use crate::pool::Pool;
use remote::{Call, Payload, Reply, clean};

mod kubeadm;
mod process;
mod uses;

use process::{of_etcd, wants_login};

/// The script that looks.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("../script/sh/api_server.sh"),
    include_str!("../script/sh/api_server_facts.sh")
);
/// A look takes a moment; an API server that hangs makes it wait.
const LOOK_TIME: Duration = Duration::from_secs(60);
/// The longest reply: the manifest, the certificate and the arguments at their limits, in base64.
const MAX_REPLY: usize = 1024 * 1024;

/// What is asked of one host.
#[derive(Debug, Clone)]
struct Request {
    name: KubernetesName,
    manifest: String,
    /// Where the members are that its API server is to use.
    members: BTreeSet<String>,
    /// Whether kubeadm has a record of it.
    of_kubeadm: bool,
}

/// Looks at every API server that quorate configures.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> BTreeMap<HostName, ApiServerFacts> {
    let mut asking = JoinSet::new();
    for (host, request) in requests(spec) {
        if hosts.get(&host).and_then(Observed::known).is_none() {
            continue;
        }
        let pool = Arc::clone(pool);
        asking.spawn(async move {
            let seen = look(&pool, &host, &request).await;
            (host, seen)
        });
    }
    asking.join_all().await.into_iter().collect()
}

fn requests(spec: &SiteSpec) -> BTreeMap<HostName, Request> {
    let mut requests = BTreeMap::new();
    for (name, kubernetes) in &spec.kubernetes {
        let Some(manifest) = kubernetes.mode.manifest() else { continue };
        let used = kubernetes.clusters().filter_map(|name| spec.clusters.get(name));
        let members = used.flat_map(|cluster| cluster.members.values());
        let members: BTreeSet<String> =
            members.map(|member| member.member.client_url().to_string()).collect();
        for host in &kubernetes.apiservers {
            let (name, manifest, members) = (name.clone(), manifest.clone(), members.clone());
            let of_kubeadm = matches!(kubernetes.mode, KubernetesMode::Kubeadm { .. });
            requests.insert(host.clone(), Request { name, manifest, members, of_kubeadm });
        }
    }
    requests
}

async fn look(pool: &Pool, host: &HostName, request: &Request) -> ApiServerFacts {
    let args = arguments(request);
    let seen = match run(pool, host, SCRIPT, args).await {
        Ok(reply) => records(&reply).map(|records| read(&records, request)),
        Err(why) => Err(Unread::odd(why)),
    };
    let mut seen = match seen {
        Ok(seen) => seen,
        Err(why) => return unknown(&why.to_string()),
    };
    let asked = seen.flags().filter(|flags| planner::may_be_another(flags, &request.members));
    if let Some(flags) = asked {
        seen.uses = uses::ask(pool, host, flags).await;
    }
    seen
}

async fn run(
    pool: &Pool,
    host: &HostName,
    script: &'static str,
    args: Vec<String>,
) -> Result<Reply, String> {
    let connection = pool.connection(host).await.map_err(|error| super::unreached(&error))?;
    let payload = Payload::new();
    let call = Call { script, args, payload, deadline: LOOK_TIME, max_reply: MAX_REPLY };
    connection.run(call).await.map_err(|error| super::unreached(&error))
}

fn records(reply: &Reply) -> Result<Records, Unread> {
    if reply.status != 0 {
        return Err(Unread::Ended { status: reply.status, stderr: reply.stderr.clone() });
    }
    Ok(Records::parse(&reply.stdout)?)
}

/// The words that the script reads. No value holds a blank: paths of the inventory may, and then nothing is read.
fn arguments(request: &Request) -> Vec<String> {
    let layout = ApiserverLayout::new(&request.name);
    let mut words = vec![
        "format=1".to_owned(),
        format!("manifest={}", request.manifest),
        format!("pki={}", layout.pki_current()),
    ];
    words.extend(ApiserverFile::ALL.map(|file| match file {
        ApiserverFile::Key => format!("secret={}", file.name()),
        ApiserverFile::Ca | ApiserverFile::Cert => format!("public={}", file.name()),
    }));
    words.extend(request.of_kubeadm.then(|| "kubeadm=yes".to_owned()));
    words
}

/// An API server of which nothing is known.
fn unknown(why: &str) -> ApiServerFacts {
    let nobody_knows = || Observed::Unknown(why.to_owned());
    ApiServerFacts {
        manifest: Observed::Unknown(why.to_owned()),
        files: ApiserverFile::ALL.map(|file| (file, nobody_knows())).into(),
        installed: BTreeMap::new(),
        process: Observed::Unknown(why.to_owned()),
        uses: Observed::Unknown(why.to_owned()),
        speaks_https: true,
        kubeadm: None,
    }
}

fn read(records: &Records, request: &Request) -> ApiServerFacts {
    let file = |file: ApiserverFile| (file, self::file(records, file.name()));
    ApiServerFacts {
        manifest: manifest(records, request),
        files: ApiserverFile::ALL.map(file).into(),
        installed: installed(records),
        process: process::process(records),
        uses: Observed::Absent,
        speaks_https: records.text("https") == Some("yes"),
        kubeadm: request.of_kubeadm.then(|| kubeadm::read(records)),
    }
}

/// What `stat` said of a path: its type, size, mode, owner and group.
fn kind(said: Option<&str>) -> Observed<(&str, u32, &str, &str)> {
    let Some(said) = said else { return Observed::Unknown("the host did not say".to_owned()) };
    let fields: Vec<&str> = said.split(',').collect();
    if let [kind, _, mode, owner, group] = fields[..]
        && let Ok(mode) = u32::from_str_radix(mode, 8)
    {
        return Observed::Known((kind, mode, owner, group));
    }
    let gone = [": No such file or directory", ": Not a directory"];
    if said.starts_with("stat: ") && gone.iter().any(|end| said.ends_with(end)) {
        return Observed::Absent;
    }
    Observed::Unknown(clean(said.as_bytes()))
}

fn decoded(records: &Records, key: &str) -> Option<Vec<u8>> {
    STANDARD.decode(records.text(key)?).ok()
}

fn file(records: &Records, name: &str) -> Observed<FileFacts> {
    kind(records.text(&format!("kind:{name}"))).and_then(|(kind, mode, owner, group)| {
        let sha256 = records.text(&format!("sha256:{name}")).filter(|sum| is_digest(sum));
        let (true, Some(sha256)) = (kind == "regular file", sha256) else {
            return Observed::Unknown(format!("{name} is a {}", clean(kind.as_bytes())));
        };
        let text = decoded(records, &format!("text:{name}"));
        let text = text.filter(|text| pki::Sha256Digest::hash(text).to_string() == sha256);
        Observed::Known(FileFacts {
            mode,
            owner: clean(owner.as_bytes()),
            group: clean(group.as_bytes()),
            sha256: sha256.to_owned(),
            text: text.and_then(|text| String::from_utf8(text).ok()),
        })
    })
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The digests that were installed with the generation in use.
fn installed(records: &Records) -> BTreeMap<String, String> {
    let text = decoded(records, "text:manifest").and_then(|text| String::from_utf8(text).ok());
    let text = text.unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(digest, name)| (name.to_owned(), digest.to_owned())).collect()
}

fn manifest(records: &Records, request: &Request) -> Observed<ManifestFacts> {
    kind(records.text("manifest-kind")).and_then(|(kind, ..)| {
        if !kind.starts_with("regular") {
            return Observed::Unknown(format!("it is a {}", clean(kind.as_bytes())));
        }
        observed(text(records).map(|text| ManifestFacts {
            sha256: pki::Sha256Digest::hash(&text).to_string(),
            wiring: wiring(&text, &ApiserverLayout::new(&request.name).pki_dir()),
        }))
    })
}

/// The manifest's bytes, where they are what was hashed.
fn text(records: &Records) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let text = records.need("manifest", "what the manifest holds")?;
    let text = STANDARD.decode(text).map_err(|_| Unread::odd("its text did not arrive"))?;
    let text = Zeroizing::new(text);
    let sum = records.need("manifest-sha256", "the manifest's digest")?;
    if pki::Sha256Digest::hash(&text).to_string() != sum {
        return Err(Unread::odd("it changed while it was read"));
    }
    Ok(text)
}

/// What a manifest says of etcd.
pub(crate) fn wiring(text: &[u8], folder: &str) -> Result<Wiring, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let manifest = Manifest::read(text).map_err(|why| clean(why.to_string().as_bytes()))?;
    let flags = manifest.flags().iter();
    let flags = flags.map(|flag| (flag.name.clone(), flag.value.clone().unwrap_or_default()));
    let flags: Vec<(String, String)> = flags.collect();
    let (is_whole, wants_login) = (manifest.shows(folder), wants_login(&flags));
    Ok(Wiring { flags: of_etcd(flags.into_iter()), is_whole, wants_login })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MANIFEST: &str =
        include_str!("../../../../templates/tests/manifests/edited/kubeadm-external.yaml");

    fn request() -> Request {
        Request {
            name: "prod".parse().unwrap(),
            manifest: "/m".to_owned(),
            members: BTreeSet::new(),
            of_kubeadm: true,
        }
    }

    fn said(records: &[(&str, &str)]) -> Records {
        let text: String =
            records.iter().map(|(key, body)| format!("{key} {}\n{body}\n", body.len())).collect();
        Records::parse(text.as_bytes()).unwrap()
    }

    fn manifest_of(text: &str, sum: &str) -> Observed<ManifestFacts> {
        let encoded = STANDARD.encode(text);
        let all = [
            ("manifest-kind", "regular file,9,600,root,root"),
            ("manifest-sha256", sum),
            ("manifest", encoded.as_str()),
        ];
        read(&said(&all), &request()).manifest
    }

    #[test]
    fn of_a_manifest_only_what_it_says_of_etcd_is_a_fact() {
        let sum = pki::Sha256Digest::hash(MANIFEST.as_bytes()).to_string();
        let Observed::Known(seen) = manifest_of(MANIFEST, &sum) else { panic!("it is read") };
        let wiring = seen.wiring.unwrap();
        assert!(wiring.is_whole, "kubeadm mounts /etc/kubernetes/pki");
        assert!(wiring.flags.contains_key("etcd-servers"));
        assert!(wiring.flags.keys().all(|name| name.starts_with("etcd-")));
        assert!(!format!("{wiring:?}").contains("service-account"));
    }

    #[test]
    fn a_manifest_that_changed_while_it_was_read_is_unknown() {
        let other = pki::Sha256Digest::hash(b"other").to_string();
        assert!(matches!(manifest_of(MANIFEST, &other), Observed::Unknown(_)));
    }

    #[test]
    fn what_the_host_does_not_say_is_unknown_and_never_absent() {
        let seen = read(&said(&[]), &request());
        assert!(matches!(seen.manifest, Observed::Unknown(_)));
        assert!(matches!(seen.process, Observed::Unknown(_)));
        assert!(seen.files.values().all(|file| matches!(file, Observed::Unknown(_))));
        let gone = "stat: cannot statx '/m': No such file or directory";
        let seen = read(&said(&[("manifest-kind", gone), ("processes", "")]), &request());
        assert!(seen.manifest.is_absent() && seen.process.is_absent());
    }

    #[test]
    fn a_manifest_says_whether_anonymous_clients_are_turned_away() {
        let wired = |flag: &str| {
            let text = MANIFEST
                .replace("    - --etcd-cafile", &format!("    - {flag}\n    - --etcd-cafile"));
            wiring(text.as_bytes(), "/etc/kubernetes/pki").unwrap().wants_login
        };
        assert!(wired("--anonymous-auth=false") && !wired("--anonymous-auth=true"));
        assert!(!wired("--allow-privileged=true"));
    }

    proptest! {
        #[test]
        fn a_damaged_reply_never_panics(
            kind in "[a-z ,0-9]{0,30}", text in ".{0,80}", processes in "[0-9 a-zA-Z=\n]{0,80}",
        ) {
            let all = [
                ("manifest-kind", kind.as_str()), ("manifest", text.as_str()),
                ("manifest-sha256", text.as_str()), ("kind:ca.crt", kind.as_str()),
                ("text:manifest", text.as_str()), ("processes", processes.as_str()),
                ("version", text.as_str()), ("kubeadm", text.as_str()), ("kubeadm-status", "0"),
            ];
            let _ = read(&said(&all), &request());
        }
    }
}
