//! The `ClusterConfiguration` that kubeadm keeps of a cluster and reads at its next upgrade: which flags of etcd it gives
//! API servers, read and edited in place.
//!
//! kubeadm writes it itself, as blocks without comments. What has another shape is refused, with the line.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};

use super::node::{Document, Node, Value};
use super::scalar::written;
use super::splice::Splices;
use super::why::{NotUnderstood, Why};

/// The fields of `etcd.external`, and the flags that kubeadm makes of them.
const FIELDS: [(&str, &str); 3] =
    [("caFile", "etcd-cafile"), ("certFile", "etcd-certfile"), ("keyFile", "etcd-keyfile")];
const SERVERS: &str = "etcd-servers";

/// kubeadm's configuration of a cluster.
#[derive(Debug)]
pub struct ClusterConfiguration<'t> {
    document: Document<'t>,
    version: Version,
}

/// How arguments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// As a mapping.
    V1Beta3,
    /// As a list of names and values.
    V1Beta4,
}

/// An argument of API servers, and where its lines are.
struct Argument {
    name: String,
    value: String,
    place: Range<usize>,
}

impl<'t> ClusterConfiguration<'t> {
    /// Reads it. One of a cluster whose etcd kubeadm runs is [`Why::Stacked`].
    pub fn read(text: &'t str) -> Result<Self, NotUnderstood> {
        let document = Document::read(text)?;
        let word = |key| {
            let node = document.get(&document.root, "the configuration", key)?;
            Ok::<_, NotUnderstood>(node.and_then(|node| document.scalar(node)))
        };
        let version = match (word("kind")?, word("apiVersion")?) {
            (Some("ClusterConfiguration"), Some("kubeadm.k8s.io/v1beta3")) => Version::V1Beta3,
            (Some("ClusterConfiguration"), Some("kubeadm.k8s.io/v1beta4")) => Version::V1Beta4,
            _ => return Err(Why::NotOfKubeadm.at(document.root.line)),
        };
        let read = Self { document, version };
        read.external()?;
        read.arguments()?;
        Ok(read)
    }

    /// The flags of etcd that kubeadm would give an API server, without dashes.
    pub fn flags(&self) -> Result<BTreeMap<String, String>, NotUnderstood> {
        let external = self.external()?;
        let mut flags = BTreeMap::new();
        for (field, flag) in FIELDS {
            flags.insert(flag.to_owned(), self.text(external, field)?.to_owned());
        }
        let endpoints = self.endpoints(external)?.iter();
        let endpoints = endpoints.filter_map(|node| self.document.scalar(node));
        flags.insert(SERVERS.to_owned(), endpoints.collect::<Vec<_>>().join(","));
        // An argument wins over what kubeadm would say.
        let arguments = self.arguments()?.into_iter();
        let of_etcd = arguments.filter(|argument| argument.name.starts_with("etcd-"));
        flags.extend(of_etcd.map(|argument| (argument.name, argument.value)));
        Ok(flags)
    }

    /// The text with these flags in it: `None` for one that must not be there. Nothing else changes.
    pub fn edited(
        &self,
        wanted: &BTreeMap<String, Option<String>>,
    ) -> Result<String, NotUnderstood> {
        let mut splices = Splices::new(self.document.text);
        let external = self.external()?;
        for (field, flag) in FIELDS {
            if let Some(Some(value)) = wanted.get(flag) {
                let node = self.need(external, field)?;
                splices.replace(node.place.clone(), plain(value)?);
            }
        }
        if let Some(Some(servers)) = wanted.get(SERVERS) {
            self.set_servers(external, servers, &mut splices)?;
        }
        self.set_arguments(wanted, &mut splices)?;
        let text = splices.done().ok_or(Why::Differs.at(1))?;
        let after = ClusterConfiguration::read(&text)?;
        let says = after.flags()?;
        let is_said = |(name, value): (&String, &Option<String>)| says.get(name) == value.as_ref();
        if !wanted.iter().all(is_said) || after.rest(wanted)? != self.rest(wanted)? {
            return Err(Why::Differs.at(1));
        }
        Ok(text)
    }

    fn root(&self, key: &'static str) -> Result<Option<&Node<'t>>, NotUnderstood> {
        self.document.get(&self.document.root, "the configuration", key)
    }

    fn need<'n>(
        &self,
        mapping: &'n Node<'t>,
        key: &'static str,
    ) -> Result<&'n Node<'t>, NotUnderstood> {
        let value = self.document.get(mapping, "etcd.external", key)?;
        value.ok_or(Why::Missing(key).at(mapping.line))
    }

    fn text<'n>(
        &'n self,
        mapping: &'n Node<'t>,
        key: &'static str,
    ) -> Result<&'n str, NotUnderstood> {
        let value = self.need(mapping, key)?;
        self.document.scalar(value).ok_or(Why::Kind { key, wanted: "text" }.at(value.line))
    }

    /// The mapping `etcd.external`.
    fn external(&self) -> Result<&Node<'t>, NotUnderstood> {
        let line = self.document.root.line;
        let etcd = self.root("etcd")?.ok_or(Why::Stacked.at(line))?;
        if self.document.get(etcd, "etcd", "local")?.is_some() {
            return Err(Why::Stacked.at(etcd.line));
        }
        let external = self.document.get(etcd, "etcd", "external")?;
        external.ok_or(Why::Stacked.at(etcd.line))
    }

    /// The entries of `etcd.external.endpoints`, of which there is one at least, a line each.
    fn endpoints<'n>(&self, external: &'n Node<'t>) -> Result<&'n [Node<'t>], NotUnderstood> {
        let list = self.need(external, "endpoints")?;
        match &list.value {
            Value::List(StructureStyle::Block, entries) if !entries.is_empty() => Ok(entries),
            _ => Err(Why::Flow.at(list.line)),
        }
    }

    fn set_servers(
        &self,
        external: &Node<'t>,
        servers: &str,
        splices: &mut Splices<'t>,
    ) -> Result<(), NotUnderstood> {
        let entries = self.endpoints(external)?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let dash = splices.dash(first.place.start, first.line)?;
        let lines: Result<Vec<String>, _> = servers.split(',').map(plain).collect();
        let end = last.content_end(self.document.text);
        splices.replace(first.place.start..end, lines?.join(&format!("\n{dash}")));
        Ok(())
    }

    /// The mapping or list `apiServer.extraArgs`; `None` where there is none.
    fn extra(&self) -> Result<Option<&Node<'t>>, NotUnderstood> {
        let Some(server) = self.root("apiServer")? else { return Ok(None) };
        if is_nothing(server) {
            return Ok(None);
        }
        let extra = self.document.get(server, "apiServer", "extraArgs")?;
        Ok(extra.filter(|extra| !is_nothing(extra)))
    }

    /// The arguments of API servers, in order.
    fn arguments(&self) -> Result<Vec<Argument>, NotUnderstood> {
        let Some(extra) = self.extra()? else { return Ok(Vec::new()) };
        let text = self.document.text;
        let word = |node: &Node<'t>| {
            let word = self.document.scalar(node).map(str::to_owned);
            word.ok_or(Why::NotText.at(node.line))
        };
        match (self.version, &extra.value) {
            (Version::V1Beta3, Value::Mapping(StructureStyle::Block, pairs)) => {
                let argument = |(name, value): &(Node<'t>, Node<'t>)| {
                    let place = name.place.start..value.content_end(text);
                    Ok(Argument { name: word(name)?, value: word(value)?, place })
                };
                pairs.iter().map(argument).collect()
            }
            (Version::V1Beta4, Value::List(StructureStyle::Block, entries)) => {
                let argument = |entry: &Node<'t>| {
                    let of = |key| {
                        let value = self.document.get(entry, "extraArgs", key)?;
                        value.ok_or(Why::Missing(key).at(entry.line))
                    };
                    let place = entry.place.start..entry.content_end(text);
                    Ok(Argument { name: word(of("name")?)?, value: word(of("value")?)?, place })
                };
                entries.iter().map(argument).collect()
            }
            _ => Err(Why::Flow.at(extra.line)),
        }
    }

    /// Which arguments there are to be: those of others as they are, then what `etcd.external` has no field for.
    fn set_arguments(
        &self,
        wanted: &BTreeMap<String, Option<String>>,
        splices: &mut Splices<'t>,
    ) -> Result<(), NotUnderstood> {
        let ours: BTreeMap<&str, &str> = wanted
            .iter()
            .filter(|(flag, _)| *flag != SERVERS && FIELDS.iter().all(|(_, field)| field != flag))
            .filter_map(|(flag, value)| Some((flag.as_str(), value.as_deref()?)))
            .collect();
        let known = self.arguments()?;
        let are: Vec<(&str, &str)> =
            known.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
        let are_ours: Vec<_> = are.iter().filter(|(name, _)| wanted.contains_key(*name)).collect();
        if are_ours.len() == ours.len()
            && are_ours.iter().all(|(name, value)| ours.get(name) == Some(value))
        {
            return Ok(());
        }
        let (extra, text) = (self.extra()?, self.document.text);
        let front = match (self.version, extra, known.first()) {
            (Version::V1Beta4, Some(extra), Some(first)) => {
                splices.dash(first.place.start, extra.line)?.to_owned()
            }
            (Version::V1Beta3, Some(extra), Some(_)) => " ".repeat(extra.column),
            (Version::V1Beta4, ..) => "  - ".to_owned(),
            (Version::V1Beta3, ..) => "    ".to_owned(),
        };
        let kept = known.iter().filter(|one| !wanted.contains_key(&one.name));
        let mut lines: Vec<String> =
            kept.map(|one| text.get(one.place.clone()).unwrap_or_default().to_owned()).collect();
        for (name, value) in ours {
            let value = plain(value)?;
            lines.push(match self.version {
                Version::V1Beta3 => format!("{name}: {value}"),
                Version::V1Beta4 => {
                    format!("name: {name}\n{}value: {value}", " ".repeat(front.len()))
                }
            });
        }
        let lines = lines.join(&format!("\n{front}"));
        if let (Some(first), Some(last)) = (known.first(), known.last()) {
            splices.replace(first.place.start..last.place.end, lines);
            return Ok(());
        }
        self.add_arguments(&format!("\n{front}{lines}"), splices)
    }

    /// Adds arguments where there are none.
    fn add_arguments(&self, lines: &str, splices: &mut Splices<'t>) -> Result<(), NotUnderstood> {
        let Some((key, server)) = self.pair(&self.document.root, "apiServer") else {
            let end = self.document.root.content_end(self.document.text);
            splices.replace(end..end, format!("\napiServer:\n  extraArgs:{lines}"));
            return Ok(());
        };
        if is_nothing(server) {
            splices.replace(
                key.place.end..nothing_end(key, server),
                format!(":\n  extraArgs:{lines}"),
            );
            return Ok(());
        }
        if let Some((key, extra)) = self.pair(server, "extraArgs") {
            splices.replace(key.place.end..nothing_end(key, extra), format!(":{lines}"));
            return Ok(());
        }
        let Value::Mapping(StructureStyle::Block, _) = &server.value else {
            return Err(Why::Flow.at(server.line));
        };
        let (start, indent) = (server.place.start, " ".repeat(server.column));
        splices.replace(start..start, format!("extraArgs:{lines}\n{indent}"));
        Ok(())
    }

    fn pair<'n>(&self, mapping: &'n Node<'t>, key: &str) -> Option<&'n (Node<'t>, Node<'t>)> {
        let Value::Mapping(_, pairs) = &mapping.value else { return None };
        pairs.iter().find(|(name, _)| self.document.scalar(name) == Some(key))
    }

    /// All but what these flags are said by.
    fn rest(&self, wanted: &BTreeMap<String, Option<String>>) -> Result<Rest, NotUnderstood> {
        let mut rest = self.plain(&self.document.root)?;
        let Rest::Mapping(root) = &mut rest else { return Ok(rest) };
        if let Some(Rest::Mapping(etcd)) = root.get_mut("etcd")
            && let Some(Rest::Mapping(external)) = etcd.get_mut("external")
        {
            for (field, _) in FIELDS {
                external.remove(field);
            }
            external.remove("endpoints");
        }
        let mut server = match root.remove("apiServer") {
            Some(Rest::Mapping(server)) => server,
            _ => BTreeMap::new(),
        };
        server.remove("extraArgs");
        root.insert("apiServer".to_owned(), Rest::Mapping(server));
        let others = self.arguments()?.into_iter().filter(|one| !wanted.contains_key(&one.name));
        let others = others.map(|one| Rest::Text(format!("{}={}", one.name, one.value), true));
        root.insert("arguments of others".to_owned(), Rest::List(others.collect()));
        Ok(rest)
    }

    fn plain(&self, node: &Node<'t>) -> Result<Rest, NotUnderstood> {
        if node.tag.is_some() || node.anchor.is_some() {
            return Err(Why::Differs.at(node.line));
        }
        Ok(match &node.value {
            Value::Alias(_) => return Err(Why::Alias("a part").at(node.line)),
            Value::Scalar(text, style) => {
                Rest::Text(text.to_string(), *style == ScalarStyle::Plain)
            }
            Value::List(_, entries) => {
                let entries: Result<Vec<Rest>, _> =
                    entries.iter().map(|entry| self.plain(entry)).collect();
                Rest::List(entries?)
            }
            Value::Mapping(_, pairs) => {
                let pair = |(key, value): &(Node<'t>, Node<'t>)| {
                    let name = self.document.scalar(key).ok_or(Why::NotText.at(key.line))?;
                    Ok((name.to_owned(), self.plain(value)?))
                };
                let pairs: Result<BTreeMap<String, Rest>, NotUnderstood> =
                    pairs.iter().map(pair).collect();
                Rest::Mapping(pairs?)
            }
        })
    }
}

/// A value without its place and layout.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// And whether it stands without quotes: then it may be a number or a switch.
    Text(String, bool),
    List(Vec<Rest>),
    Mapping(BTreeMap<String, Rest>),
}

/// Whether a value is written as nothing: `{}`, `[]`, or no text at all.
fn is_nothing(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Scalar(text, ScalarStyle::Plain) => matches!(&**text, "" | "~" | "null"),
        Value::Mapping(_, pairs) => pairs.is_empty(),
        Value::List(_, entries) => entries.is_empty(),
        Value::Scalar(..) | Value::Alias(_) => false,
    }
}

/// Where what is written as nothing ends, behind its key and the colon.
fn nothing_end(key: &Node<'_>, nothing: &Node<'_>) -> usize {
    nothing.place.end.max(key.place.end + 1)
}

/// A value of printable ASCII, in quotes where it must have some.
fn plain(text: &str) -> Result<String, NotUnderstood> {
    if text.chars().all(|c| matches!(c, ' '..='~')) {
        return Ok(written(text, ScalarStyle::Plain, StructureStyle::Block));
    }
    Err(Why::Unprintable("a value".to_owned()).at(1))
}
