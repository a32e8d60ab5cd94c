//! Discovery services in the simulated world, and how etcd forms a cluster by them.

use std::collections::BTreeMap;

use templates::head;

use crate::look::arguments;
use crate::world::Log;
use crate::zone::Zone;

/// The records of all services, by token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    records: BTreeMap<String, Record>,
}

/// The record of one bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How many members there are to be.
    pub size: usize,
    /// Those that registered, and their peer URLs.
    pub members: BTreeMap<String, String>,
    /// Whether it is of the protocol of old, which nobody removes.
    pub is_v2: bool,
}

impl Registry {
    /// Makes the record of a token, or says for how many members the one is that is there.
    ///
    /// # Errors
    /// The size of a record that is for another one.
    pub fn open(&mut self, token: &str, size: usize) -> Result<bool, usize> {
        let is_new = !self.records.contains_key(token);
        let record =
            self.records.entry(token.to_owned()).or_insert_with(|| Record::new(size, false));
        if record.size == size { Ok(is_new) } else { Err(record.size) }
    }

    /// Removes the record of a token.
    pub fn close(&mut self, token: &str) -> bool {
        self.records.remove(token).is_some()
    }

    /// How many records are still there that somebody is to remove.
    pub fn left(&self) -> usize {
        self.records.values().filter(|record| !record.is_v2).count()
    }

    /// The list of members, once all of them are registered.
    fn list(&self, token: &str) -> Option<String> {
        let Record { size, members, is_v2: _ } = self.records.get(token)?;
        let entries: Vec<String> =
            members.iter().map(|(name, url)| format!("{name}={url}")).collect();
        (members.len() == *size).then(|| entries.join(","))
    }

    fn register(&mut self, token: &str, name: &str, url: &str) -> Result<(), &'static str> {
        let Some(Record { size, members, is_v2 }) = self.records.get_mut(token) else {
            return Err("discovery: size key not found");
        };
        match members.get(name) {
            Some(_) if *is_v2 => Err("discovery: found duplicate id"),
            None if members.len() >= *size => Err("discovery: cluster is full"),
            Some(_) | None => {
                members.insert(name.to_owned(), url.to_owned());
                Ok(())
            }
        }
    }
}

impl Record {
    fn new(size: usize, is_v2: bool) -> Self {
        Self { size, members: BTreeMap::new(), is_v2 }
    }
}

/// What a member that starts without a log gets: a log, or that it waits for the others, or what etcd
/// says where it can't form a cluster.
pub(crate) fn begin(
    text: &str,
    zone: &Zone,
    registry: &mut Registry,
) -> Result<Option<Log>, &'static str> {
    let own = Settings::parse(text);
    let found = match own.ways() {
        (Some(list), None, None) => list.to_owned(),
        (None, Some(domain), None) => {
            let suffix = own.find("discovery-srv-name").map(|name| format!("-{name}"));
            let service = format!("_etcd-server-ssl{}._tcp.{domain}", suffix.unwrap_or_default());
            let at = own.value("initial-advertise-peer-urls").trim_start_matches("https://");
            let at = at.parse().unwrap_or_else(|_| panic!("{at} is no address"));
            zone.initial_cluster(&service, own.value("name"), at)?
        }
        (None, None, Some(token)) => {
            if own.find("discovery").is_some() {
                // The service made the record together with the token.
                let size = head::members(text).map_or(0, |all| all.split(',').count());
                let records = &mut registry.records;
                records.entry(token.to_owned()).or_insert_with(|| Record::new(size, true));
            }
            let url = own.value("initial-advertise-peer-urls");
            registry.register(token, own.value("name"), url)?;
            return Ok(found(text, registry));
        }
        _ => return Err("multiple discovery or bootstrap flags are set"),
    };
    Ok(Some(own.log(found)))
}

/// The log of a member that waits for others, once they are all registered.
pub(crate) fn found(text: &str, registry: &Registry) -> Option<Log> {
    let own = Settings::parse(text);
    let list = registry.list(own.token()?)?;
    Some(own.log(list))
}

/// The arguments of a unit or pod.
pub(crate) struct Settings {
    arguments: Vec<String>,
}

impl Settings {
    pub(crate) fn parse(text: &str) -> Self {
        Self { arguments: arguments(text) }
    }

    pub(crate) fn find(&self, flag: &str) -> Option<&str> {
        let prefix = format!("--{flag}=");
        self.arguments.iter().find_map(|argument| argument.strip_prefix(&prefix))
    }

    pub(crate) fn value(&self, flag: &str) -> &str {
        self.find(flag).unwrap_or_else(|| panic!("the unit gives no --{flag}"))
    }

    /// The token with a discovery service: of v2 it is the URL.
    fn token(&self) -> Option<&str> {
        self.find("discovery-token").or_else(|| self.find("discovery"))
    }

    /// The list, the domain and the token: etcd takes one of them.
    fn ways(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        (self.find("initial-cluster"), self.find("discovery-srv"), self.token())
    }

    fn log(&self, list: String) -> Log {
        let token = self.token().unwrap_or_else(|| self.value("initial-cluster-token"));
        Log::new(self.value("name").to_owned(), token.to_owned(), list)
    }
}
