//! Changes of a text at known places.

use std::ops::Range;

use super::why::{NotUnderstood, Why};

/// Changes that leave every byte outside their places as it is.
#[derive(Debug)]
pub(super) struct Splices<'t> {
    text: &'t str,
    all: Vec<(Range<usize>, String)>,
}

impl<'t> Splices<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, all: Vec::new() }
    }

    pub(super) fn replace(&mut self, place: Range<usize>, with: String) {
        self.all.push((place, with));
    }

    /// Adds lines behind the line of a byte, which may be the last one and have no end.
    pub(super) fn add_lines(&mut self, behind: usize, lines: &[String]) {
        let at = self.line_end(behind);
        let new: String = lines.iter().map(|line| format!("{}{line}", self.line_break())).collect();
        self.replace(at..at, new);
    }

    /// Removes the lines of a place, which are not the first ones of the text, each with the break in front of it: so
    /// the last line of the text keeps its line end, or its lack of one.
    pub(super) fn remove_lines(&mut self, place: &Range<usize>) {
        let before = self.text.get(..self.line_start(place.start)).unwrap_or_default();
        let front = before.strip_suffix('\n').unwrap_or(before);
        let front = front.strip_suffix('\r').unwrap_or(front);
        self.replace(front.len()..self.line_end(place.end), String::new());
    }

    /// What stands in front of an entry on its line: spaces, a dash, and spaces. An anchor and a tag may follow.
    pub(super) fn dash(&self, entry: usize, line: usize) -> Result<&'t str, NotUnderstood> {
        let layout = Why::Layout.at(line);
        let front = self.text.get(self.line_start(entry)..entry).ok_or(layout.clone())?;
        let indent = front.len() - front.trim_start_matches(' ').len();
        let behind = front.get(indent..).and_then(|rest| rest.strip_prefix('-'));
        let properties = behind.ok_or(layout.clone())?;
        let gap = properties.len() - properties.trim_start_matches(' ').len();
        let ours = |word: &str| word.starts_with(['&', '!']);
        if gap == 0 || !properties.split(' ').filter(|word| !word.is_empty()).all(ours) {
            return Err(layout);
        }
        Ok(front.get(..indent + 1 + gap).unwrap_or(front))
    }

    /// Whether nothing but a comment follows on the line of a byte.
    pub(super) fn ends_line(&self, at: usize) -> bool {
        let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
        let bare = rest.trim_start_matches([' ', '\t']);
        bare.is_empty() || bare.starts_with('#') && bare.len() < rest.len()
    }

    pub(super) fn between(&self, place: Range<usize>) -> &'t str {
        self.text.get(place).unwrap_or_default()
    }

    /// The text with all changes.
    pub(super) fn done(mut self) -> Option<String> {
        self.all.sort_by_key(|(place, _)| (place.start, place.end));
        let mut done = String::with_capacity(self.text.len());
        let mut at = 0;
        for (place, with) in &self.all {
            done.push_str(self.text.get(at..place.start)?);
            done.push_str(with);
            at = place.end;
        }
        done.push_str(self.text.get(at..)?);
        Some(done)
    }

    fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or_default()
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind(['\n', '\r']).map_or(0, |end| end + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.rest(at).find(['\n', '\r']).map_or(self.text.len(), |end| at + end)
    }

    /// How lines of this text end.
    fn line_break(&self) -> &'t str {
        let first = self.rest(self.line_end(0));
        let mut known = ["\r\n", "\n", "\r"].into_iter();
        known.find(|line_break| first.starts_with(line_break)).unwrap_or("\n")
    }
}
