//! Finds the container of kube-apiserver in a Pod, and what of it is of interest here.

use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};

use super::node::{Document, Node, Value};
use super::why::{NotUnderstood, Why};

/// The parts of a manifest that may be edited.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) image: Option<String>,
    /// `command` and `args`, one after the other.
    pub(super) arguments: Vec<Argument>,
    /// How each of the two lists is written, by their number in [`Argument::list`].
    pub(super) lists: [StructureStyle; 2],
    pub(super) volumes: Section,
    pub(super) mounts: Section,
}

/// An entry of `command` or `args`.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) text: String,
    pub(super) place: Range<usize>,
    pub(super) line: usize,
    /// How it is written; `None` for an alias.
    pub(super) style: Option<ScalarStyle>,
    pub(super) list: usize,
    /// Whether an alias repeats it elsewhere.
    pub(super) repeated: bool,
}

/// A list of mappings, `volumes` or `volumeMounts`.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) key: &'static str,
    pub(super) entries: Vec<Entry>,
    /// The line and column of the mapping it is in, or would be.
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) standing: Standing,
    /// Where the last entry, or the mapping it would be in, ends.
    pub(super) end: usize,
}

/// Whether a section is there, and can get more entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Block,
    /// There, but not as lines that start with a dash, or without entries.
    Fixed,
    Missing,
}

/// A volume or a mount.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The path on the host, or in the container; `None` where it is no path of the host, or part of one.
    pub(super) path: Option<String>,
    pub(super) place: Range<usize>,
    pub(super) line: usize,
}

const CONTAINER: &str = "kube-apiserver";

pub(super) fn read(document: &Document<'_>) -> Result<Parts, NotUnderstood> {
    let root = Here { document, node: &document.root, name: "the manifest" };
    let spec = match root.get("kind")? {
        Some(kind) if kind.text() == Some("Pod") => root.need("spec")?,
        _ => return Err(Why::NotAPod.at(root.node.line)),
    };
    document.once(root.node)?;
    let container = container(&spec)?;
    let (command, args) = (container.get("command")?, container.get("args")?);
    let mut arguments = Vec::new();
    let mut lists = [StructureStyle::Block; 2];
    for (number, list) in [command, args].into_iter().enumerate() {
        if let Some(list) = list {
            lists[number] = list.arguments(number, &mut arguments)?;
        }
    }
    check_program(&arguments, container.node.line)?;
    let image = container.get("image")?.and_then(|image| image.text().map(str::to_owned));
    let mounts = section(&container, "volumeMounts", |mount| {
        let part = mount.get("subPath")?.is_some() || mount.get("subPathExpr")?.is_some();
        let path = mount.get("mountPath")?.and_then(|path| path.text());
        Ok(path.filter(|_| !part).map(str::to_owned))
    })?;
    let volumes = section(&spec, "volumes", |volume| {
        let Some(host) = volume.get("hostPath")? else { return Ok(None) };
        Ok(host.get("path")?.and_then(|path| path.text()).map(str::to_owned))
    })?;
    Ok(Parts { image, arguments, lists, volumes, mounts })
}

/// The first argument must be kube-apiserver itself: what another program does with the rest is unknown.
fn check_program(arguments: &[Argument], line: usize) -> Result<(), NotUnderstood> {
    let Some(first) = arguments.first() else {
        return Err(Why::Missing("command").at(line));
    };
    // Without a command, the image names the program, and all arguments are its flags.
    let flags_only = first.list == 1 && first.text.starts_with("--");
    if flags_only || first.text.rsplit('/').next() == Some(CONTAINER) {
        return Ok(());
    }
    Err(Why::Program.at(first.line))
}

fn container<'n, 't>(spec: &Here<'n, 't>) -> Result<Here<'n, 't>, NotUnderstood> {
    let list = spec.need("containers")?;
    let mut found = None;
    for container in list.entries()? {
        let container = Here { name: "the container", ..list.at(container) };
        let named = container.get("name")?.and_then(|name| name.text()) == Some(CONTAINER);
        if named && found.replace(container).is_some() {
            return Err(Why::Twice(CONTAINER).at(container.node.line));
        }
    }
    let found = found.ok_or(Why::NoContainer.at(list.node.line))?;
    found.document.once(found.node)?;
    Ok(found)
}

fn section<'n, 't>(
    parent: &Here<'n, 't>,
    key: &'static str,
    path: impl Fn(&Here<'n, 't>) -> Result<Option<String>, NotUnderstood>,
) -> Result<Section, NotUnderstood> {
    let text = parent.document.text;
    let missing = Section {
        key,
        entries: Vec::new(),
        line: parent.node.line,
        column: parent.node.column,
        standing: match parent.node.value {
            Value::Mapping(StructureStyle::Block, _) => Standing::Missing,
            _ => Standing::Fixed,
        },
        end: parent.node.content_end(text),
    };
    let Some(list) = parent.get(key)? else { return Ok(missing) };
    let there = Section { line: list.node.line, end: list.node.content_end(text), ..missing };
    let fixed = Standing::Fixed;
    if matches!(&list.node.value, Value::Scalar(text, ScalarStyle::Plain) if matches!(&**text, "~" | "null"))
    {
        return Ok(Section { standing: fixed, ..there });
    }
    let entries: Result<Vec<Entry>, NotUnderstood> = list
        .entries()?
        .iter()
        .map(|node| {
            let entry = Here { name: key, ..list.at(node) };
            let name = entry.get("name")?.and_then(|name| name.text()).unwrap_or_default();
            let (name, path) = (name.to_owned(), path(&entry)?);
            Ok(Entry { name, path, place: node.place.clone(), line: node.line })
        })
        .collect();
    let standing = match &list.node.value {
        Value::List(StructureStyle::Block, _) => Standing::Block,
        _ => fixed,
    };
    Ok(Section { entries: entries?, standing, ..there })
}

/// A node, and what messages call it.
#[derive(Clone, Copy)]
struct Here<'n, 't> {
    document: &'n Document<'t>,
    node: &'n Node<'t>,
    name: &'static str,
}

impl<'n, 't> Here<'n, 't> {
    fn at(self, node: &'n Node<'t>) -> Self {
        Self { node, ..self }
    }

    fn get(self, key: &'static str) -> Result<Option<Self>, NotUnderstood> {
        let value = self.document.get(self.node, self.name, key)?;
        Ok(value.map(|node| Self { node, name: key, ..self }))
    }

    /// A list or mapping that is edited, so that it may not be repeated, nor come from elsewhere.
    fn need(self, key: &'static str) -> Result<Self, NotUnderstood> {
        let here = self.get(key)?.ok_or(Why::Missing(key).at(self.node.line))?;
        here.document.once(here.node)?;
        Ok(here)
    }

    fn text(self) -> Option<&'n str> {
        self.document.scalar(self.node)
    }

    fn entries(self) -> Result<&'n [Node<'t>], NotUnderstood> {
        self.document.once(self.node)?;
        match &self.node.value {
            Value::List(_, entries) => Ok(entries),
            Value::Alias(_) => Err(Why::Alias(self.name).at(self.node.line)),
            _ => Err(Why::Kind { key: self.name, wanted: "list" }.at(self.node.line)),
        }
    }

    fn arguments(
        self,
        list: usize,
        into: &mut Vec<Argument>,
    ) -> Result<StructureStyle, NotUnderstood> {
        for node in self.entries()? {
            let text = self.document.scalar(node).ok_or(Why::NotText.at(node.line))?.to_owned();
            let style = match &node.value {
                Value::Scalar(_, style) => Some(*style),
                _ => None,
            };
            let (place, line) = (node.place.clone(), node.line);
            let repeated = self.document.once(node).is_err();
            into.push(Argument { text, place, line, style, list, repeated });
        }
        match &self.node.value {
            Value::List(style, _) => Ok(*style),
            _ => Ok(StructureStyle::Block),
        }
    }
}
