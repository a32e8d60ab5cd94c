//! The static pod of a kube-apiserver, which another tool wrote: read, and edited in place.
//!
//! Only the flags of etcd and one folder with its mount change. Everything else keeps its bytes: the edit replaces
//! text at the places that a parser found, reads the result again, and hands it out only if all the rest is equal. What
//! cannot be edited like that is refused, with the line.

mod cluster_configuration;
mod edit;
mod flags;
mod node;
mod pod;
mod rest;
mod scalar;
mod splice;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeMap;
use std::ops::Range;

pub use cluster_configuration::ClusterConfiguration;
pub use flags::Flag;
use node::Document;
use pod::Parts;
pub use why::{NotUnderstood, Why};

/// The volume by which the container sees a folder that no volume of others shows it.
pub const VOLUME: &str = "quorate-etcd";

/// What a manifest is to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Flags by name, without dashes: the value, or `None` for a flag that must not be there.
    pub flags: BTreeMap<String, Option<String>>,
    /// An absolute folder of the host that the container must see at the same path.
    pub folder: Option<String>,
}

/// The manifest of a kube-apiserver.
#[derive(Debug)]
pub struct Manifest<'t> {
    document: Document<'t>,
    parts: Parts,
    flags: Vec<Flag>,
}

impl<'t> Manifest<'t> {
    /// Reads a manifest.
    pub fn read(text: &'t str) -> Result<Self, NotUnderstood> {
        let document = Document::read(text)?;
        let parts = pod::read(&document)?;
        let flags = flags::read(&parts.arguments)?;
        Ok(Self { document, parts, flags })
    }

    /// Every flag, in order. One that is given twice is here twice.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// The image of the container.
    pub fn image(&self) -> Option<&str> {
        self.parts.image.as_deref()
    }

    /// The version that the image's tag names, without the `v`.
    pub fn version(&self) -> Option<&str> {
        let name = self.image()?.split('@').next()?;
        let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
        let version = tag.strip_prefix('v')?;
        version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
    }

    /// Whether the container sees a folder of the host at the same path.
    pub fn shows(&self, folder: &str) -> bool {
        let covers = |path: &str| {
            let path = path.trim_end_matches('/');
            let below = folder.strip_prefix(path);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // A mount inside another one hides what is there.
        let mounts = self.parts.mounts.entries.iter();
        let path = |entry: &&pod::Entry| entry.path.clone().filter(|path| covers(path));
        let Some(mount) = mounts
            .filter(|mount| path(mount).is_some())
            .max_by_key(|mount| path(mount).map_or(0, |path| path.trim_end_matches('/').len()))
        else {
            return false;
        };
        let trimmed =
            |path: &Option<String>| path.as_deref().map(|p| p.trim_end_matches('/').to_owned());
        let mut volumes = self.parts.volumes.entries.iter();
        volumes.any(|volume| {
            volume.name == mount.name && trimmed(&volume.path) == trimmed(&mount.path)
        })
    }

    /// The text with what is wanted in it; the same text if it says that already.
    pub fn edited(&self, wanted: &Wanted) -> Result<String, NotUnderstood> {
        let text = edit::edited(self, wanted)?;
        let after = Manifest::read(&text)?;
        let same = rest::rest(&after.document, &after.ours(wanted))
            == rest::rest(&self.document, &self.ours(wanted));
        let line = self.parts.arguments.first().map_or(1, |first| first.line);
        if same && after.says(wanted) { Ok(text) } else { Err(Why::Differs.at(line)) }
    }

    /// Whether the manifest says what is wanted.
    pub fn says(&self, wanted: &Wanted) -> bool {
        let says = |(name, value): (&String, &Option<String>)| {
            let found: Vec<_> = self.named(name).map(|flag| flag.value.as_ref()).collect();
            found == value.iter().map(Some).collect::<Vec<_>>()
        };
        wanted.flags.iter().all(says) && wanted.folder.as_deref().is_none_or(|f| self.shows(f))
    }

    fn named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Flag> {
        self.flags.iter().filter(move |flag| flag.name == name)
    }

    /// Where that stands which may differ after an edit.
    fn ours(&self, wanted: &Wanted) -> Vec<Range<usize>> {
        let flags = self.flags.iter().filter(|flag| wanted.flags.contains_key(&flag.name));
        let arguments = flags.flat_map(|flag| self.parts.arguments[flag.arguments.clone()].iter());
        let sections = [&self.parts.volumes, &self.parts.mounts];
        let entries = sections.into_iter().flat_map(|section| &section.entries);
        let own = entries.filter(|entry| entry.name == VOLUME).map(|entry| entry.place.clone());
        arguments.map(|argument| argument.place.clone()).chain(own).collect()
    }
}
