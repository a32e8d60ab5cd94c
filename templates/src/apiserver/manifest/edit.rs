//! What has to change so that a manifest says what is wanted.

use std::collections::BTreeSet;

use granit_parser::{ScalarStyle, StructureStyle};

use super::flags::Flag;
use super::pod::{Argument, Section, Standing};
use super::scalar::written;
use super::splice::Splices;
use super::why::{NotUnderstood, Why};
use super::{Manifest, VOLUME, Wanted};

/// The text of the manifest as it is wanted. What of it is right already is not touched.
pub(super) fn edited(manifest: &Manifest<'_>, wanted: &Wanted) -> Result<String, NotUnderstood> {
    let mut edit =
        Edit { manifest, splices: Splices::new(manifest.document.text), removed: BTreeSet::new() };
    let mut missing = Vec::new();
    for (name, value) in &wanted.flags {
        if let Some(value) = value {
            check_printable(&format!("--{name}"), value)?;
            if !edit.set(name, value)? {
                missing.push(format!("--{name}={}", escaped(value)));
            }
        } else {
            manifest.named(name).for_each(|flag| edit.removed.extend(flag.arguments.clone()));
        }
    }
    edit.add_flags(&missing)?;
    edit.remove()?;
    if let Some(folder) = &wanted.folder {
        check_printable("the folder", folder)?;
        edit.mount(folder)?;
    }
    edit.splices.done().ok_or(Why::Differs.at(1))
}

fn check_printable(what: &str, text: &str) -> Result<(), NotUnderstood> {
    if text.chars().all(|c| matches!(c, ' '..='~')) {
        return Ok(());
    }
    Err(Why::Unprintable(what.to_owned()).at(1))
}

/// A text that Kubernetes does not replace a part of.
fn escaped(value: &str) -> String {
    value.replace('$', "$$")
}

struct Edit<'m, 't> {
    manifest: &'m Manifest<'t>,
    splices: Splices<'t>,
    /// Arguments that go, by number.
    removed: BTreeSet<usize>,
}

impl<'m> Edit<'m, '_> {
    fn argument(&self, number: usize) -> Result<&'m Argument, NotUnderstood> {
        self.manifest.parts.arguments.get(number).ok_or(Why::Differs.at(1))
    }

    /// Gives a flag its value where it stands first, and removes it elsewhere; false if it stands nowhere.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, NotUnderstood> {
        let manifest = self.manifest;
        let mut all = manifest.named(name);
        let Some(first) = all.next() else { return Ok(false) };
        all.for_each(|again| self.removed.extend(again.arguments.clone()));
        if first.value.as_deref() != Some(value) {
            self.change(first, value)?;
        }
        Ok(true)
    }

    fn change(&mut self, flag: &Flag, value: &str) -> Result<(), NotUnderstood> {
        let last = flag.arguments.end - 1;
        let text = match flag.arguments.len() {
            1 => format!("--{}={}", flag.name, escaped(value)),
            _ => escaped(value),
        };
        let argument = self.argument(last)?;
        if argument.repeated {
            return Err(Why::Repeated.at(argument.line));
        }
        let (style, list) = self.style(argument);
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return Err(Why::Block.at(argument.line));
        }
        self.splices.replace(argument.place.clone(), written(&text, style, list));
        Ok(())
    }

    fn style(&self, argument: &Argument) -> (ScalarStyle, StructureStyle) {
        (argument.style.unwrap_or(ScalarStyle::Plain), self.manifest.parts.lists[argument.list])
    }

    /// Adds arguments behind the last flag of etcd that stays, or else behind the last argument.
    fn add_flags(&mut self, flags: &[String]) -> Result<(), NotUnderstood> {
        if flags.is_empty() {
            return Ok(());
        }
        let stays = |flag: &&Flag| !self.removed.contains(&flag.arguments.start);
        let of_etcd = |flag: &&Flag| flag.name.starts_with("etcd-");
        let last_argument = self.manifest.parts.arguments.len() - 1;
        let last = self.manifest.flags.iter().filter(stays).rfind(of_etcd);
        let behind = self.argument(last.map_or(last_argument, |flag| flag.arguments.end - 1))?;
        let (style, list) = self.style(behind);
        let texts = flags.iter().map(|flag| written(flag, style, list));
        let at = behind.place.end;
        if list == StructureStyle::Flow {
            let new = texts.map(|text| format!(", {text}")).collect();
            self.splices.replace(at..at, new);
            return Ok(());
        }
        let dash = self.splices.dash(behind.place.start, behind.line)?;
        let lines: Vec<String> = texts.map(|text| format!("{dash}{text}")).collect();
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return Err(Why::Block.at(behind.line));
        }
        self.splices.add_lines(at, &lines);
        Ok(())
    }

    fn remove(&mut self) -> Result<(), NotUnderstood> {
        for number in self.removed.clone() {
            let argument = self.argument(number)?;
            if argument.repeated {
                return Err(Why::Repeated.at(argument.line));
            }
            match self.style(argument).1 {
                StructureStyle::Block => self.remove_line(argument)?,
                StructureStyle::Flow => self.remove_between_commas(number, argument)?,
            }
        }
        Ok(())
    }

    fn remove_line(&mut self, argument: &Argument) -> Result<(), NotUnderstood> {
        let mut others = self.manifest.parts.arguments.iter().enumerate();
        if !others.any(|(n, other)| other.list == argument.list && !self.removed.contains(&n)) {
            return Err(Why::OnlyEntry.at(argument.line));
        }
        self.splices.dash(argument.place.start, argument.line)?;
        if !self.splices.ends_line(argument.place.end) {
            return Err(Why::Layout.at(argument.line));
        }
        self.splices.remove_lines(&argument.place);
        Ok(())
    }

    /// Removes an argument with the comma in front of it, or behind it where no argument before it stays.
    fn remove_between_commas(
        &mut self,
        number: usize,
        argument: &Argument,
    ) -> Result<(), NotUnderstood> {
        let arguments = &self.manifest.parts.arguments;
        let place = argument.place.clone();
        let stays = |n: usize| arguments[n].list == argument.list && !self.removed.contains(&n);
        let next = arguments.get(number + 1).filter(|next| next.list == argument.list);
        let (whole, gap) = match next {
            _ if (0..number).any(stays) => {
                let end = arguments[number - 1].place.end;
                (end..place.end, end..place.start)
            }
            Some(next) => (place.start..next.place.start, place.end..next.place.start),
            None => (place.clone(), place.end..place.end),
        };
        if self.splices.between(gap).contains('#') {
            return Err(Why::Comment.at(argument.line));
        }
        self.splices.replace(whole, String::new());
        Ok(())
    }

    /// Mounts a folder of the host into the container at the same path, unless it is mounted.
    fn mount(&mut self, folder: &str) -> Result<(), NotUnderstood> {
        if self.manifest.shows(folder) {
            return Ok(());
        }
        let (volumes, mounts) = (&self.manifest.parts.volumes, &self.manifest.parts.mounts);
        if let Some(other) =
            mounts.entries.iter().find(|mount| mount.path.as_deref() == Some(folder))
        {
            return Err(Why::Mounted(folder.to_owned()).at(other.line));
        }
        let path = written(folder, ScalarStyle::Plain, StructureStyle::Block);
        match volumes.entries.iter().find(|volume| volume.name == VOLUME) {
            Some(own) if own.path.as_deref() == Some(folder) => {}
            Some(own) => {
                let path = folder.to_owned();
                return Err(Why::Volume { name: VOLUME, path }.at(own.line));
            }
            None => {
                let lines = [
                    "hostPath:".to_owned(),
                    format!("  path: {path}"),
                    "  type: Directory".to_owned(),
                    format!("name: {VOLUME}"),
                ];
                self.add_entry(volumes, &lines)?;
            }
        }
        let lines =
            [format!("mountPath: {path}"), format!("name: {VOLUME}"), "readOnly: true".to_owned()];
        self.add_entry(mounts, &lines)
    }

    /// Adds a mapping to a list, in the layout of the list, and the list if it is missing.
    fn add_entry(&mut self, section: &Section, entry: &[String]) -> Result<(), NotUnderstood> {
        let mut lines = Vec::new();
        let dash = match (section.standing, section.entries.last()) {
            (Standing::Block, Some(last)) => {
                self.splices.dash(last.place.start, last.line)?.to_owned()
            }
            (Standing::Missing, _) => {
                let indent = " ".repeat(section.column);
                lines.push(format!("{indent}{}:", section.key));
                format!("{indent}- ")
            }
            _ => return Err(Why::Flow.at(section.line)),
        };
        let fields = " ".repeat(dash.len());
        for (number, line) in entry.iter().enumerate() {
            let front = if number == 0 { &dash } else { &fields };
            lines.push(format!("{front}{line}"));
        }
        self.splices.add_lines(section.end, &lines);
        Ok(())
    }
}
