//! API servers in the simulated world: static pods whose manifests somebody else wrote, and what they need of etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::hosts::{Done, StepErrorKind};
use inventories::HostName;
use pki::{LeafRequest, Sha256Digest};
use planner::Step;
use planner::facts::{
    ApiServerFacts, ApiServerProcess, FileFacts, KubeadmConfig, KubeadmFacts, ManifestFacts,
    Observed, UsedEtcd, Wiring,
};
use planner::plan::{ApiServerStep, Signer};
use templates::apiserver::manifest::{ClusterConfiguration, Flag, Manifest, Wanted};
use templates::layout::{ApiserverFile, ApiserverLayout};

use crate::world::World;

/// What a kubelet does with the manifest of an API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimApiServer {
    /// The manifest in its folder.
    pub manifest: String,
    /// The manifest of its process.
    pub process: Option<String>,
    /// Whether a changed pod does not come up.
    pub is_broken: bool,
    /// The client certificate that quorate installed; of the key its digest.
    pub files: BTreeMap<ApiserverFile, String>,
    /// The id of the other etcd that it uses, and how many keys it has there.
    pub other: Option<(String, u64)>,
}

/// The folder of its certificate, in every story.
fn folder() -> String {
    let name = "prod".parse().unwrap_or_else(|error| panic!("prod {error}"));
    ApiserverLayout::new(&name).pki_dir()
}

impl SimApiServer {
    /// One that runs with these servers, as kubeadm sets it up.
    pub fn of_kubeadm(servers: &str) -> Self {
        let manifest = MANIFEST.replace("SERVERS", servers);
        let process = Some(manifest.clone());
        Self { manifest, process, is_broken: false, files: BTreeMap::new(), other: None }
    }
}

const MANIFEST: &str = "apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt
    - --etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt
    - --etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key
    - --etcd-servers=SERVERS
    - --secure-port=6443
    image: registry.k8s.io/kube-apiserver:v1.34.4
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  hostNetwork: true
  volumes:
  - hostPath:
      path: /etc/kubernetes/pki
      type: DirectoryOrCreate
    name: k8s-certs
status: {}
";

/// The flags of etcd in a manifest.
fn wiring(text: &str) -> Result<Wiring, String> {
    let manifest = Manifest::read(text).map_err(|why| why.to_string())?;
    let flags = manifest.flags().iter().filter(|flag| flag.name.starts_with("etcd-"));
    let flags =
        flags.map(|flag| (flag.name.clone(), flag.value.clone().unwrap_or_default())).collect();
    let closes =
        |flag: &Flag| flag.name == "anonymous-auth" && flag.value.as_deref() == Some("false");
    let wants_login = manifest.flags().iter().any(closes);
    Ok(Wiring { flags, is_whole: manifest.shows(&folder()), wants_login })
}

fn flags(text: &str) -> BTreeMap<String, String> {
    wiring(text).map(|wiring| wiring.flags).unwrap_or_default()
}

fn wants_login(text: &str) -> bool {
    wiring(text).is_ok_and(|wiring| wiring.wants_login)
}

impl World {
    /// Where members serve clients now, and the id of the cluster of each.
    fn served(&self) -> BTreeMap<String, String> {
        let running = self.running();
        let mut served = BTreeMap::new();
        for key in self.quorate() {
            for host in &running[&key] {
                let process = self.hosts[host].members[&key.0].process.as_deref();
                let url = process.and_then(crate::places::advertised);
                served.extend(url.map(|url| (url.to_owned(), key.1.clone())));
            }
        }
        served
    }

    /// Whether the API server of a host reaches all the etcds that it uses.
    pub fn api_server_is_ready(&self, host: &HostName) -> bool {
        let Some(server) = self.hosts.get(host).and_then(|host| host.api_server.as_ref()) else {
            return false;
        };
        let Some(process) = &server.process else { return false };
        let flags = flags(process);
        let is_ours = flags.get("etcd-keyfile").is_some_and(|key| key.starts_with(&folder()));
        if !is_ours {
            return server.other.is_some();
        }
        let served = self.served();
        let is_served = |list: &str| list.split([',', ';']).any(|url| served.contains_key(url));
        let overrides = flags.get("etcd-servers-overrides").map(String::as_str).unwrap_or_default();
        let overrides = overrides.split(',').filter_map(|part| part.split_once('#'));
        let has_files = ApiserverFile::ALL.iter().all(|file| server.files.contains_key(file));
        has_files
            && flags.get("etcd-servers").is_some_and(|list| is_served(list))
            && overrides.into_iter().all(|(_, list)| is_served(list))
    }

    /// What is seen of the API server of a host.
    pub(crate) fn api_server_facts(&self, name: &HostName) -> ApiServerFacts {
        let server = self.hosts[name].api_server.as_ref();
        let present = |value: Option<FileFacts>| value.map_or(Observed::Absent, Observed::Known);
        let file = |file: ApiserverFile| {
            let text = server.and_then(|server| server.files.get(&file));
            (file, present(text.map(|text| file_facts(file, text))))
        };
        let digest = |text: &String| Sha256Digest::hash(text.as_bytes()).to_string();
        let installed = server.into_iter().flat_map(|server| &server.files);
        let installed = installed.map(|(file, text)| (file.name().to_owned(), digest(text)));
        let process = |text: &String| ApiServerProcess {
            pid: 77,
            flags: flags(text),
            version: Some("v1.34.4".to_owned()),
            is_ready: self.api_server_is_ready(name) && !wants_login(text),
            wants_login: wants_login(text),
        };
        let process = server.and_then(|server| server.process.as_ref()).map(process);
        ApiServerFacts {
            manifest: server.map_or(Observed::Absent, |server| {
                let sha256 = digest(&server.manifest);
                Observed::Known(ManifestFacts { sha256, wiring: wiring(&server.manifest) })
            }),
            files: ApiserverFile::ALL.map(file).into(),
            installed: installed.collect(),
            process: process.map_or(Observed::Absent, Observed::Known),
            uses: server.map_or(Observed::Absent, |server| self.used_by(server)),
            speaks_https: true,
            kubeadm: Some(KubeadmFacts { lacks: BTreeSet::new(), config: self.kubeadm_facts() }),
        }
    }

    /// kubeadm's record, which an API server that is ready hands out.
    fn kubeadm_facts(&self) -> Observed<KubeadmConfig> {
        let Some(text) = &self.kubeadm else { return Observed::Absent };
        if !self.hosts.keys().any(|name| self.api_server_is_ready(name)) {
            return Observed::Unknown("connection refused".to_owned());
        }
        let flags = ClusterConfiguration::read(text).and_then(|read| read.flags());
        let sha256 = Sha256Digest::hash(text.as_bytes()).to_string();
        Observed::Known(KubeadmConfig { sha256, flags: flags.map_err(|why| why.to_string()) })
    }

    fn edit_kubeadm(
        &mut self,
        planned: &str,
        wanted: &BTreeMap<String, Option<String>>,
    ) -> Result<Done, StepErrorKind> {
        let failed = |why: &str| Err(StepErrorKind::Failed(why.to_owned()));
        if !self.hosts.keys().any(|name| self.api_server_is_ready(name)) {
            return failed("connection refused");
        }
        let Some(text) = &self.kubeadm else { return failed("NotFound") };
        let edited = ClusterConfiguration::read(text).and_then(|read| read.edited(wanted));
        let edited = edited.map_err(|why| StepErrorKind::Failed(why.to_string()))?;
        if edited == *text {
            return Ok(Done::Already);
        }
        if Sha256Digest::hash(text.as_bytes()).to_string() != planned {
            return Err(StepErrorKind::Guard("the ConfigMap has changed".to_owned()));
        }
        self.kubeadm = Some(edited);
        Ok(Done::Changed)
    }

    /// What the etcd holds that an API server uses.
    fn used_by(&self, server: &SimApiServer) -> Observed<UsedEtcd> {
        let (served, flags) = (self.served(), flags(&server.manifest));
        let servers = flags.get("etcd-servers").map(String::as_str).unwrap_or_default();
        let ours = servers.split(',').filter_map(|url| served.get(url).cloned());
        let (cluster_ids, keys) = match server.other.clone() {
            Some((id, keys)) => (BTreeSet::from([id]), keys),
            None => (ours.collect(), 7),
        };
        match cluster_ids.is_empty() {
            true => Observed::Unknown("connection refused".to_owned()),
            false => Observed::Known(UsedEtcd { cluster_ids, keys }),
        }
    }

    /// Does a part of what makes an API server use etcd.
    pub(crate) fn act_on_api_server(
        &mut self,
        step: &Step,
        part: &ApiServerStep,
    ) -> Result<Done, StepErrorKind> {
        let is_ready = self.api_server_is_ready(step.host());
        let served = self.served();
        let failed = |why: &str| Err(StepErrorKind::Failed(why.to_owned()));
        if let ApiServerStep::Certificate { leaf, signer, endpoints, .. } = part {
            let is_let_in =
                !self.issues_broken && endpoints.iter().any(|url| served.contains_key(url));
            if !is_let_in {
                return failed("no member lets the new client certificate in");
            }
            let files = self.issue_for_api_server(leaf, signer)?;
            let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
            let Some(server) = &mut host.api_server else { return failed("no such folder") };
            server.files = files;
            return Ok(Done::Changed);
        }
        if let ApiServerStep::KubeadmConfig { sha256, flags } = part {
            return self.edit_kubeadm(sha256, flags);
        }
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let Some(server) = &mut host.api_server else { return failed("it is not a file") };
        match part {
            ApiServerStep::Certificate { .. } | ApiServerStep::KubeadmConfig { .. } => {
                Ok(Done::Already)
            }
            ApiServerStep::Wire { sha256, flags, folder, .. } => {
                let wanted = Wanted { flags: flags.clone(), folder: Some(folder.clone()) };
                let edited = Manifest::read(&server.manifest).and_then(|seen| seen.edited(&wanted));
                let edited = edited.map_err(|why| StepErrorKind::Failed(why.to_string()))?;
                if edited == server.manifest {
                    return Ok(Done::Already);
                }
                if Sha256Digest::hash(server.manifest.as_bytes()).to_string() != *sha256 {
                    return Err(StepErrorKind::Guard("the manifest has changed".to_owned()));
                }
                server.process = (!server.is_broken).then(|| edited.clone());
                server.manifest = edited;
                Ok(Done::Changed)
            }
            ApiServerStep::AwaitReady { flags: wanted, .. } => {
                let Some(process) = &server.process else {
                    return failed(
                        "the API server is not ready after 240 s: no kube-apiserver runs",
                    );
                };
                let are = flags(process);
                let differs = wanted.iter().any(|(name, value)| are.get(name) != value.as_ref());
                match is_ready && !differs && !wants_login(process) {
                    true => Ok(Done::Already),
                    false => failed("the API server is not ready after 240 s"),
                }
            }
        }
    }

    fn issue_for_api_server(
        &self,
        leaf: &LeafRequest,
        signer: &Signer,
    ) -> Result<BTreeMap<ApiserverFile, String>, StepErrorKind> {
        let authorities = Arc::clone(&self.authorities);
        let authority = &authorities[&signer.cluster].client;
        if authority.certificate().facts().fingerprint.to_string() != signer.issuer {
            return Err(StepErrorKind::Failed("the CA is not the one of the plan".to_owned()));
        }
        let issued = authority.issue(leaf, self.now);
        let issued = issued.map_err(|error| StepErrorKind::Local(error.into()))?;
        Ok(BTreeMap::from([
            (ApiserverFile::Ca, authority.certificate().pem()),
            (ApiserverFile::Cert, issued.certificate.pem()),
            (ApiserverFile::Key, Sha256Digest::hash(issued.key.expose()).to_string()),
        ]))
    }
}

fn file_facts(file: ApiserverFile, text: &str) -> FileFacts {
    let (mode, owner, group) = planner::api_server_attributes(file);
    FileFacts {
        mode,
        owner: owner.to_owned(),
        group: group.to_owned(),
        sha256: Sha256Digest::hash(text.as_bytes()).to_string(),
        text: (file != ApiserverFile::Key).then(|| text.to_owned()),
    }
}
