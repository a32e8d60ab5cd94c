//! What a scenario plays on, and what its commands do there.

mod api_servers;
mod databases;
mod desired;
mod restoring;
mod run;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::{Cluster, Runtime};
use inventories::{ClusterName, Inventory, Network, SiteName};
use planner::facts::{AtBoot, Namespace, Reach};
use planner::policy::{Maintenance, RemoveRequest};
use planner::text::{self, Page, Paint, Style};
use planner::{FormedRecord, Observed, Plan, Policy, SiteFacts, SiteSpec, fingerprint};
use templates::layout::PkiFile;

use super::hosts;
use super::twist::{Twist, What, Write};
use crate::fault::Fault;
use crate::roster::Listed;
use crate::site::{Shape, Way, authorities, cluster, host, plain, spec_of};
use crate::world::{Log, Until, World};

/// The stage of one scenario: nothing is on it before the command `site`.
#[derive(Debug, Default)]
pub struct Stage {
    scene: Option<Scene>,
}

/// A site in the middle of its story.
#[derive(Debug)]
struct Scene {
    inventory: Inventory,
    /// Clusters whose CAs lie beside the inventory.
    at_hand: BTreeMap<ClusterName, CaFiles>,
    world: World,
    twists: Vec<Twist>,
    policy: Policy,
    /// The records of formed clusters that lie beside the inventory.
    records: BTreeMap<ClusterName, FormedRecord>,
    /// The hash of the plan that was compared last.
    compared: Option<String>,
    bootstraps: u8,
    /// Clusters that the inventory had.
    forgotten: BTreeMap<ClusterName, Cluster>,
}

/// Whether a cluster's CAs lie beside the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaFiles {
    Here,
    Missing,
}

/// What a command answers, or why it can't be understood.
type Told = Result<String, String>;

impl Stage {
    /// Does what one line says and gives the answer.
    ///
    /// - The site: `site members=N [clusters=N] [hosts=N] [version=V] [ipv6] [dns|v3|v3-user|self-hosted|v2] [static-pod]`.
    /// - The inventory, after that: `inventory version V|pin V…|runtime R|static|members H…|members-of C H…|address H ADDRESS|
    ///   listen-address H ADDRESS|peer-address H ADDRESS|client-port PORT|peer-port PORT|flag NAME NUMBER|order C…|name SITE|
    ///   no-ca C|new-ca|no-checksum|without C|without-host H|rename H H|from-file|no-record C|clients NETWORK…|no-firewall`.
    /// - What DNS says, from then on: `dns port H PORT|without H|stranger NAME PORT|address H ADDRESS|nothing`.
    /// - What happens to hosts: `host H unreachable|reachable|slow|dead|back|new`, `stop H`, `lags H ENTRIES`, `wipe H`, `restored H`,
    ///   `other-ca H`, `other-site H`, `marker H site NAME|cluster-id ID|unreadable`, `remove-unit H`, `kubelet H on|off`,
    ///   `images H on|off`,
    ///   `edit-manifest H`, `loops H WORDS`, `cause-gone H`, `corrupt H` (it raises the alarm), `odd H` (its data is no longer what the others have), `starts-again H`, `addresses H ADDRESS…`.
    /// - The state of hosts: `listener H PORT PROCESS`, `disk H SIZE [releases]`, `clock H ±Ns`,
    ///   `cores H N`, `memory H SIZE`, `arch H NAME`, `systemd H VERSION|none`, `missing H TOOL`,
    ///   `no-downloader H`, `foreign-etcd H [UNIT]`, `has H ADDRESS|none`, `at-boot H UNIT|PATH`, `at-boot H BY UNIT`, `no-namespaces H SETTING`, `image-sets H NAME`, `service H UNIT`, `source H ADDRESS|none|unknown`,
    ///   `reach H TO silent|untried`, `site-unknown H`, `foreign-data H`, `data-unknown H`,
    ///   `synced-write H Nms|stuck|impossible`, `apart H TO Nms`, `damaged H FILE`, `login H TO`, `crossed H TO`, `copy H OF`, `alarm H NAME`, `answers-as H CLUSTER-ID`.
    /// - Databases: `database H MB MB-IN-USE`, `old H MB MB`, of revisions that the API servers have compacted and
    ///   of others, `full H`, `room H SIZE`, and `left-stopped H`, by a defragmentation that was killed.
    /// - A row of the list of c0 that is on no host: `listed ID URL [NAME [learner]]`.
    /// - What the operator asks for from then on: `maintain defrag|destroy|destroy-in-use|remove C H|nothing|restore [clients-stopped] [data-loss]
    ///   [revision=N|unknown] [version=V] [size=N] [sha256=XX] [gone=H,H]`. `client H ADDRESS` connects to a member.
    /// - What the operator allows from then on: `allow slow-disk C`, `allow no-backup C`, `allow reform C`, `allow outage C`,
    ///   `allow compact-now C`, `allow switch KUBERNETES`, `allow replace H` until `disallow replace`.
    /// - API servers: `kubernetes H…|prefix PREFIX|override RESOURCE NUMBER|render-only` is what the inventory says;
    ///   `api-server H SERVERS` is one as kubeadm sets it up, `api-server H broken|sound|stopped|in-a-shell|edited FROM TO|
    ///   other CLUSTER-ID KEYS`.
    /// - Certificates: `age DAYS` lets time pass, `issue broken|sound` says what is issued from then on.
    /// - Questions: `firewall H [NETWORK…]`, the rules of a host, which may cut off the networks; `plan`, `findings` of it, `same-plan` as last time, `steps`, `hosts`, `apply [killed-before=STEP|killed-within=STEP|killed-after=STEP|lost=STEP]`.
    ///
    /// # Errors
    /// A line that is none of these.
    pub fn tell(&mut self, line: &str) -> Told {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["site", ref options @ ..] = words[..] {
            self.scene = Some(Scene::new(options)?);
            return Ok(String::new());
        }
        let scene = self.scene.as_mut().ok_or("a story begins with `site`")?;
        match words[..] {
            ["plan"] => Ok(masked(&text::plan(&scene.plan(), Page::PLAIN))),
            ["findings"] => Ok(findings(&scene.plan())),
            ["same-plan"] => Ok(scene.compare()),
            ["maintain", "restore", ref options @ ..] => {
                scene.restore(options).map(|()| String::new())
            }
            ["maintain", "remove", name, at] => scene.remove(name, at).map(|()| String::new()),
            ["maintain", what] => scene.maintain(what).map(|()| String::new()),
            ["allow", ref words @ ..] => scene.allow(words).map(|()| String::new()),
            ["disallow", "replace"] => {
                scene.policy.replace.clear();
                Ok(String::new())
            }
            ["steps"] => Ok(run::steps(&scene.plan())),
            ["firewall", name, ref cut @ ..] => scene.firewall(name, cut),
            ["hosts"] => Ok(hosts::describe(&scene.world)),
            ["apply", ref options @ ..] => scene.apply(options),
            ["listed", id, url, ref how @ ..] => scene.list(id, url, how).map(|()| String::new()),
            ["issue", how @ ("broken" | "sound")] => {
                scene.world.issues_broken = how == "broken";
                Ok(String::new())
            }
            ["age", days] => scene.age(days),
            ["dns", ref words @ ..] => scene.world.zone.change(words).map(|()| String::new()),
            ["kubernetes", ref words @ ..] => scene.kubernetes(words).map(|()| String::new()),
            ["api-server", name, ref words @ ..] => {
                scene.api_server(name, words).map(|()| String::new())
            }
            ["inventory", ref words @ ..] => scene.change_inventory(words).map(|()| String::new()),
            _ => scene.happen(&words).map(|()| String::new()),
        }
    }
}

impl Scene {
    fn new(options: &[&str]) -> Result<Self, String> {
        let mut shape = Shape { clusters: Vec::new(), ..plain(0) };
        let (mut members, mut clusters, mut hosts) = (3, 1, 0);
        for option in options {
            match option.split_once('=') {
                Some(("members", count)) => members = number(count)?,
                Some(("clusters", count)) => clusters = number(count)?,
                Some(("hosts", count)) => hosts = number(count)?,
                Some(("version", version)) => shape.version = parsed(version)?,
                None if *option == "ipv6" => shape.ipv6 = true,
                None if *option == "dns" => shape.way = Way::Dns,
                None if *option == "v3" => shape.way = Way::V3,
                None if *option == "v3-user" => shape.way = Way::V3User,
                None if *option == "self-hosted" => shape.way = Way::SelfHosted,
                None if *option == "v2" => shape.way = Way::V2,
                None if *option == "static-pod" => shape.runtime = Runtime::StaticPod,
                _ => return Err(format!("a site has no {option}")),
            }
        }
        shape.hosts = plain(hosts.max(members)).hosts;
        shape.clusters = vec![members; clusters];
        let (world, _) = shape.world();
        let inventory = Inventory { firewall: None, ..shape.inventory() };
        let at_hand = inventory.clusters.keys().map(|name| (name.clone(), CaFiles::Here)).collect();
        let policy = Policy::default();
        let (twists, records, compared) = (Vec::new(), BTreeMap::new(), None);
        let (bootstraps, forgotten) = (0, BTreeMap::new());
        Ok(Self {
            inventory,
            at_hand,
            world,
            twists,
            policy,
            records,
            compared,
            bootstraps,
            forgotten,
        })
    }

    fn spec(&self) -> SiteSpec {
        let mut inventory = Cow::Borrowed(&self.inventory);
        if let Some(Maintenance::Remove(RemoveRequest { cluster, host })) = &self.policy.maintenance
            && let Some(was) = self.forgotten.get(cluster)
        {
            let left = Cluster { members: vec![host.clone()], ..was.clone() };
            inventory.to_mut().clusters.insert(cluster.clone(), left);
        }
        let mut spec = spec_of(&inventory, &self.world.authorities);
        for (name, cluster) in &mut spec.clusters {
            if let Some(record) = self.records.get(name) {
                cluster.formed = Observed::Known(record.clone());
            }
            if self.at_hand.get(name) != Some(&CaFiles::Here) {
                cluster.authorities.peer = None;
            }
            if self.at_hand.get(&cluster.client_ca) != Some(&CaFiles::Here) {
                cluster.authorities.client = None;
            }
        }
        spec
    }

    fn facts(&self, spec: &SiteSpec) -> SiteFacts {
        let mut facts = self.world.observe(spec);
        self.twists.iter().for_each(|twist| twist.apply(spec, &mut facts));
        facts
    }

    fn plan(&self) -> Plan {
        let spec = self.spec();
        planner::plan(&spec, &self.facts(&spec), &self.policy)
            .unwrap_or_else(|defect| panic!("a plan can be made: {defect}"))
    }

    /// The rules of a host's firewall, or what speaks against them.
    fn firewall(&self, name: &str, cut: &[&str]) -> Told {
        let cut: Result<BTreeSet<Network>, _> = cut.iter().map(|network| parsed(network)).collect();
        let spec = self.spec();
        let all = planner::firewalls(&spec, &self.facts(&spec), &cut?);
        let one = all.get(&host(name)).ok_or_else(|| format!("{name} has no firewall"))?;
        if one.against.is_empty() {
            return Ok(one.rules.render());
        }
        let lines = text::findings(&one.against, "blocked", Paint::Red, Style::Plain);
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }

    /// Whether the plan is still the one that it was.
    fn compare(&mut self) -> String {
        let now = fingerprint::hash(&self.plan());
        let before = self.compared.replace(now.clone());
        match before {
            None => "there was none before\n".to_owned(),
            Some(before) if before == now => "the same plan\n".to_owned(),
            Some(_) => "another plan\n".to_owned(),
        }
    }

    /// Somebody adds a member by hand.
    fn list(&mut self, id: &str, url: &str, how: &[&str]) -> Result<(), String> {
        let formed = self.world.formed.get(&cluster(0)).ok_or("the cluster is not formed")?;
        let (name, learner) = match *how {
            [] => ("", false),
            [name] => (name, false),
            [name, "learner"] => (name, true),
            _ => return Err("no such row".to_owned()),
        };
        let (id, name, peer_url) = (id.to_owned(), name.to_owned(), url.to_owned());
        let rows = self.world.lists.entry(formed.clone()).or_default();
        rows.push(Listed { id, name, peer_url, learner });
        Ok(())
    }

    fn age(&mut self, days: &str) -> Told {
        self.world.now += time::Duration::days(parsed(days)?);
        Ok(String::new())
    }

    fn allow(&mut self, words: &[&str]) -> Result<(), String> {
        if let ["replace", name] = *words {
            self.policy.replace.insert(host(name));
            return Ok(());
        }
        if let ["remove-member", id] = *words {
            self.policy.remove_members.insert(id.to_owned());
            return Ok(());
        }
        if let ["switch", name] = *words {
            self.policy.allow_switch.insert(parsed(name)?);
            return Ok(());
        }
        let (clusters, cluster) = match *words {
            ["slow-disk", cluster] => (&mut self.policy.allow_slow_disk, cluster),
            ["compact-now", cluster] => (&mut self.policy.compact_now, cluster),
            ["no-backup", cluster] => (&mut self.policy.allow_no_backup, cluster),
            ["outage", cluster] => (&mut self.policy.allow_outage, cluster),
            ["reform", cluster] => (&mut self.policy.allow_reform, cluster),
            _ => return Err("nobody can allow that".to_owned()),
        };
        clusters.insert(parsed(cluster)?);
        Ok(())
    }

    /// What happens to a host, or is found there.
    fn happen(&mut self, words: &[&str]) -> Result<(), String> {
        let [_, name, ..] = *words else { return Err("no such command".to_owned()) };
        let Some(state) = self.world.hosts.get_mut(&host(name)) else {
            return Err(format!("the world has no host {name}"));
        };
        let members = state.members.values_mut();
        match *words {
            ["host", _, "unreachable"] => state.reachable = false,
            ["host", _, "reachable"] => state.reachable = true,
            ["host", _, "slow"] => state.slow = true,
            ["host", _, "dead"] => {
                let died = self.world.strike(&host(name), Fault::Down);
                return died.map_err(|broken| broken.to_string());
            }
            ["host", _, "back"] => {
                let back = self.world.mend(&host(name));
                return back.map_err(|broken| broken.to_string());
            }
            ["host", _, "new"] => **state = crate::world::SimHost::empty(),
            ["client", _, address] => members.for_each(|member| {
                member.clients = vec![address.to_owned()];
            }),
            ["no-client", _] => members.for_each(|member| member.clients.clear()),
            ["stop", _] => members.for_each(|member| member.process = None),
            ["lags", _, entries] => {
                let entries = number(entries)?.try_into().map_err(|_| "too many".to_owned())?;
                members.for_each(|member| member.behind = entries);
            }
            ["wipe", _] => members.for_each(|member| (member.process, member.log) = (None, None)),
            ["restored", _] => members.for_each(|member| {
                let restored = |log: Log| Log::restored(log.name, log.initial_cluster);
                (member.process, member.log) = (None, member.log.take().map(restored));
            }),
            ["loops", _, ref said @ ..] => members.for_each(|member| {
                member.loop_until(Until::Never, &said.join(" "));
            }),
            ["odd", _] => {
                members.filter_map(|member| member.log.as_mut()).for_each(|log| log.odd = true);
            }
            ["corrupt", name] => {
                self.world.turn_odd(&host(name), &cluster(0));
                return Ok(());
            }
            ["cause-gone", _] => members
                .filter_map(|member| member.loops.as_mut())
                .for_each(|loops| loops.until = Until::NextStart),
            ["addresses", name, ref addresses @ ..] => {
                let addresses: Result<Vec<_>, _> =
                    addresses.iter().map(|address| parsed(address)).collect();
                self.world.renumber(&host(name), addresses?);
                return Ok(());
            }
            ["starts-again", name] => {
                return self.world.start_again(&host(name)).map_err(|broken| broken.to_string());
            }
            ["remove-unit", _] => members.for_each(|member| {
                (member.unit, member.loaded, member.process) = (None, None, None);
            }),
            ["database" | "old" | "full" | "room" | "left-stopped", ..] => {
                return self.of_databases(words);
            }
            ["images", _, "on"] => state.images = true,
            ["images", _, "off"] => state.images = false,
            ["kubelet", _, "on"] => state.kubelet = true,
            ["kubelet", _, "off"] => state.kubelet = false,
            ["edit-manifest", _] => members.for_each(|member| {
                member.manifest = member.manifest.take().map(|text| text + "status: {}\n");
                member.process = member.process.take().and(member.manifest.clone());
            }),
            ["other-site", _] => {
                state.site = Some(SiteName::new("other").map_err(|error| error.to_string())?);
            }
            ["other-ca", _] => {
                let others = authorities(1);
                let pem = others[&cluster(0)].peer.certificate().pem();
                for generation in members.filter_map(|member| member.generation.as_mut()) {
                    generation.files.insert(PkiFile::PeerCa, pem.clone());
                }
            }
            ["marker", _, "site", site] => {
                let site = SiteName::new(site).map_err(|error| error.to_string())?;
                members
                    .filter_map(|member| member.marker.as_mut())
                    .for_each(|marker| marker.site = site.clone());
            }
            ["marker", _, "cluster-id", id] => members
                .filter_map(|member| member.marker.as_mut())
                .for_each(|marker| marker.cluster_id = id.to_owned()),
            _ => {
                let what = circumstance(words)?;
                self.twists.push(Twist { host: host(name), what });
            }
        }
        Ok(())
    }
}

/// What a plan warns of, and what it refuses for.
fn findings(plan: &Plan) -> String {
    let warnings = text::findings(&plan.report.warnings, "warning", Paint::Yellow, Style::Plain);
    let blocked = text::blocked(&plan.report.blocked, Style::Plain);
    let line = |line: String| line + "\n";
    warnings.into_iter().chain(blocked).map(line).collect()
}

/// The text with the random ends of CA names counted instead.
fn masked(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut parts = text.split(" CA ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += " CA ";
        let end = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if name.len() == 8 {
            let position = seen.iter().position(|known| *known == name).unwrap_or_else(|| {
                seen.push(name);
                seen.len() - 1
            });
            out += &format!("#{}{rest}", position + 1);
        } else {
            out += part;
        }
    }
    out
}

/// State of a host that the world does not model.
fn circumstance(words: &[&str]) -> Result<What, String> {
    Ok(match *words {
        ["listener", _, port, process] => What::Listener(parsed(port)?, process.to_owned()),
        ["disk", _, size] => What::DataFree(bytes(size)?),
        ["disk", _, size, "releases"] => What::ReleaseFree(bytes(size)?),
        ["clock", _, skew] => {
            let seconds: f64 = parsed(skew.trim_end_matches('s'))?;
            What::Clock((seconds * 1000.0) as i64)
        }
        ["cores", _, cores] => What::Cores(parsed(cores)?),
        ["memory", _, size] => What::Memory(bytes(size)?),
        ["arch", _, arch] => What::Arch(arch.to_owned()),
        ["systemd", _, "none"] => What::Systemd(None),
        ["systemd", _, version] => What::Systemd(Some(parsed(version)?)),
        ["missing", _, tool] => What::MissingTool(tool.to_owned()),
        ["no-downloader", _] => What::NoDownloader,
        ["foreign-etcd", _] => What::ForeignEtcd(None),
        ["foreign-etcd", _, unit] => What::ForeignEtcd(Some(unit.to_owned())),
        ["has", _, "none"] => What::Has(None),
        ["has", _, address] => What::Has(Some(parsed(address)?)),
        ["at-boot", _, path] if path.starts_with('/') => {
            What::AtBoot(AtBoot::Manifest(path.to_owned()))
        }
        ["at-boot", _, by, unit] => {
            What::AtBoot(AtBoot::Started { by: (*by).to_owned(), unit: (*unit).to_owned() })
        }
        ["at-boot", _, unit] => What::AtBoot(AtBoot::Unit(unit.to_owned())),
        ["no-namespaces", _, setting] => {
            let kind = Namespace::ALL.into_iter().find(|kind| kind.setting() == setting);
            What::NoNamespaces(kind.ok_or_else(|| format!("no setting {setting}"))?)
        }
        ["image-sets", _, name] => What::ImageSets((*name).to_owned()),
        ["service", _, unit] => What::Service(unit.to_owned()),
        ["source", _, "none"] => What::NoRoute,
        ["source", _, "unknown"] => What::SourceUnknown,
        ["source", _, address] => What::Source(parsed(address)?),
        ["reach", _, to, "silent"] => What::Reach(host(to), Reach::Silent),
        ["reach", _, to, "untried"] => What::Reach(host(to), Reach::Untried),
        ["site-unknown", _] => What::SiteUnknown,
        ["foreign-data", _] => What::ForeignData,
        ["data-unknown", _] => What::DataUnknown,
        ["marker", _, "unreadable"] => What::MarkerUnknown,
        ["alarm", _, alarm] => What::Alarm(alarm.to_owned()),
        ["answers-as", _, id] => What::ClusterId(id.to_owned()),
        ["synced-write", _, "stuck"] => What::Disk(Write::Stuck),
        ["synced-write", _, "impossible"] => What::Disk(Write::Impossible),
        ["synced-write", _, time] => What::Disk(Write::Ended(milliseconds(time)?)),
        ["apart", _, to, time] => What::Apart(host(to), milliseconds(time)?),
        ["login", _, to] => What::Login(host(to)),
        ["crossed", _, to] => What::Crossed(host(to)),
        ["copy", _, of] => What::CopyOf(host(of)),
        ["damaged", _, file] => What::Damaged(file.to_owned()),
        _ => return Err("no such command".to_owned()),
    })
}

fn number(text: &str) -> Result<usize, String> {
    parsed(text)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not what stands here"))
}

fn milliseconds(text: &str) -> Result<u64, String> {
    parsed(text.trim_end_matches("ms"))
}

/// A size such as `5GiB` or `300MiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let unit = |suffix: &str, shift: u32| {
        let count = text.strip_suffix(suffix)?;
        Some(parsed::<u64>(count).map(|count| count << shift))
    };
    unit("GiB", 30)
        .or_else(|| unit("MiB", 20))
        .unwrap_or_else(|| Err(format!("{text} has no unit")))
}
