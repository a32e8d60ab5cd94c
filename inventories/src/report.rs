//! Collects what is wrong while an inventory is read.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::{Diagnostic, Excerpt, Location, Related, Severity};
use crate::inventory::Place;
use crate::secret;
use crate::source::Source;

/// The most findings that are kept, so that a file of garbage does not become a gigabyte of
/// complaints. Nobody reads the hundredth.
pub(crate) const MOST: usize = 100;

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    file: usize,
    span: Range<usize>,
}

impl At {
    pub(crate) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, span }
    }
}

/// A finding before its place is turned into lines and columns.
#[derive(Debug)]
pub(crate) struct Finding {
    severity: Severity,
    code: &'static str,
    message: String,
    at: At,
    label: Option<String>,
    hint: Option<String>,
    related: Option<(At, String)>,
    /// Something is missing. Where the file has syntax errors it may well be there.
    absence: bool,
}

impl Finding {
    pub(crate) fn error(code: &'static str, at: &At, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, at, message)
    }

    pub(crate) fn warning(code: &'static str, at: &At, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, at, message)
    }

    pub(crate) fn new(
        severity: Severity,
        code: &'static str,
        at: &At,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            at: at.clone(),
            label: None,
            hint: None,
            related: None,
            absence: false,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    pub(crate) fn related(mut self, at: &At, label: impl Into<String>) -> Self {
        self.related = Some((at.clone(), label.into()));
        self
    }

    pub(crate) fn about_absence(mut self) -> Self {
        self.absence = true;
        self
    }
}

/// The files, and what is wrong with them so far.
pub(crate) struct Report<'a> {
    files: Vec<File<'a>>,
    findings: Vec<Finding>,
    holes: BTreeSet<Vec<String>>,
}

struct File<'a> {
    source: &'a Source,
    line_starts: Vec<usize>,
    hidden: Vec<Range<usize>>,
    broken: bool,
}

impl<'a> Report<'a> {
    pub(crate) fn new(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let files = sources.into_iter().map(File::new).collect();
        Self { files, findings: Vec::new(), holes: BTreeSet::new() }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says that a file has syntax errors: what seems to be missing there may only be unreadable.
    pub(crate) fn mark_broken(&mut self, file: usize) {
        self.files[file].broken = true;
    }

    /// Notes that something at this path of the inventory was reported and taken out, so that
    /// nobody complains that it is missing.
    pub(crate) fn add_hole(&mut self, path: &[&str]) {
        self.holes.insert(path.iter().map(|&part| part.to_owned()).collect());
    }

    /// Whether something was taken out at this path or below it.
    pub(crate) fn has_hole(&self, path: &[&str]) -> bool {
        self.holes
            .iter()
            .any(|hole| hole.len() >= path.len() && path.iter().eq(&hole[..path.len()]))
    }

    /// Keeps a part of a value out of every excerpt; all of it if the file writes that part in
    /// another way, with escapes.
    pub(crate) fn hide_part(&mut self, at: &At, part: &str) {
        let File { source, hidden, .. } = &mut self.files[at.file];
        let start = source.text[at.span.clone()].find(part).map(|found| at.span.start + found);
        hidden.push(start.map_or(at.span.clone(), |start| start..start + part.len()));
    }

    /// Keeps a value out of every excerpt.
    pub(crate) fn hide(&mut self, at: &At) {
        self.files[at.file].hidden.push(at.span.clone());
    }

    pub(crate) fn place(&self, at: &At) -> Place {
        let file = &self.files[at.file];
        let (line, _) = file.position(at.span.start);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Place { file: file.source.name.clone(), line }
    }

    /// The diagnostic for one finding, nothing else.
    pub(crate) fn only(&self, finding: Finding) -> Diagnostic {
        diagnostic(&self.files, finding)
    }

    /// What was found, in the order of the files and of the places in them, each mistake once.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let broken = self.files.iter().any(|file| file.broken);
        self.findings.retain(|finding| !(finding.absence && broken));
        self.drop_consequences_of_syntax();
        self.findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.at.file, f.at.span.start, f.severity, f.at.span.end);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.findings.dedup_by(|a, b| (&a.at, a.code, &a.message) == (&b.at, b.code, &b.message));
        // Errors are kept before warnings, so that an unusable inventory never looks usable.
        let errors = self.findings.iter().filter(|f| f.severity == Severity::Error).count();
        let mut warnings_left = MOST.saturating_sub(errors);
        let mut errors_left = MOST;
        self.findings.retain(|finding| {
            let left = match finding.severity {
                Severity::Error => &mut errors_left,
                Severity::Warning => &mut warnings_left,
            };
            let keep = *left > 0;
            *left = left.saturating_sub(1);
            keep
        });
        let files = &self.files;
        self.findings.into_iter().map(|finding| diagnostic(files, finding)).collect()
    }

    /// What the parser makes of a line that it cannot read has mistakes of its own; they are not
    /// the user's.
    fn drop_consequences_of_syntax(&mut self) {
        let line = |at: &At| (at.file, self.files[at.file].position(at.span.start).0);
        let unreadable = self.findings.iter().filter(|finding| finding.code == SYNTAX);
        let unreadable: BTreeSet<_> = unreadable.map(|finding| line(&finding.at)).collect();
        let files = &self.files;
        self.findings.retain(|finding| {
            let at = &finding.at;
            let line = files[at.file].position(at.span.start).0;
            finding.code == SYNTAX || !unreadable.contains(&(at.file, line))
        });
    }
}

/// The code of what TOML itself does not allow.
pub(crate) const SYNTAX: &str = "syntax";

fn diagnostic(files: &[File<'_>], finding: Finding) -> Diagnostic {
    let scrub = |text: String| files.iter().fold(text, |text, file| file.without_secrets(text));
    let Finding { severity, code, message, at, label, hint, related, absence: _ } = finding;
    Diagnostic {
        severity,
        code,
        message: scrub(message),
        label: label.map(scrub),
        hint: hint.map(scrub),
        at: files[at.file].location(&at.span),
        related: related
            .map(|(at, label)| Related { label, at: files[at.file].location(&at.span) }),
    }
}

impl<'a> File<'a> {
    fn new(source: &'a Source) -> Self {
        let text = if source.text.len() > crate::source::MAX_BYTES { "" } else { &source.text };
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { source, line_starts, hidden: secret::secrets(text), broken: false }
    }

    fn location(&self, span: &Range<usize>) -> Location {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end.max(start));
        let (line, column) = self.position(start);
        let (end_line, end_column) = self.position(end);
        let line_start = self.line_starts[line - 1];
        let excerpt = Excerpt::cut(self.line(line), line_start, &(start..end), &self.hidden);
        let file = self.source.name.clone();
        Location { file, span: start..end, line, column, end_line, end_column, excerpt }
    }

    /// A message that quotes the file must not quote what excerpts hide.
    fn without_secrets(&self, text: String) -> String {
        let hidden =
            self.hidden.iter().map(|range| self.source.text[range.clone()].trim_matches('"'));
        let hidden = hidden.flat_map(str::lines).filter(|secret| secret.len() > 3);
        hidden.fold(text, |text, secret| text.replace(secret, "***"))
    }

    /// The nearest character boundary at or before `byte`.
    fn boundary(&self, byte: usize) -> usize {
        self.source.text.floor_char_boundary(byte)
    }

    fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.boundary(byte);
        let line = self.line_starts.partition_point(|start| *start <= byte);
        let line_start = self.line_starts[line - 1];
        (line, self.source.text[line_start..byte].chars().count() + 1)
    }

    /// A line without its end; `line` counts from 1.
    fn line(&self, line: usize) -> &'a str {
        let start = self.line_starts[line - 1];
        let rest = &self.source.text[start..];
        match self.line_starts.get(line) {
            Some(next) => rest[..next - start].trim_end_matches(['\n', '\r']),
            // A file above the size limit has no line starts beyond the first.
            None => {
                rest[..rest.floor_char_boundary(LONGEST_LAST_LINE)].lines().next().unwrap_or("")
            }
        }
    }
}

/// Bytes of the last line that an excerpt may be cut from.
const LONGEST_LAST_LINE: usize = crate::source::MAX_BYTES;
