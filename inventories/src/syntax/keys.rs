//! Where every key of a file is written, before a tree is made of it.
//!
//! The parser says that a key is written twice, but not where it was first; and it builds trees as
//! deep as a dotted key is long. Both need a look at the keys alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

/// The deepest that tables and lists may stand in each other. The inventory needs 5 levels; trees
/// that are nested without bound would overflow the stack when they are walked or dropped.
pub(crate) const MAX_DEPTH: usize = 16;

/// The keys of a file.
pub(crate) struct Keys {
    /// By the byte where a key is written: which key it is.
    written: HashMap<usize, KeyId>,
    /// Where each key is given its value for the first time.
    defined: HashMap<KeyId, Range<usize>>,
    too_deep: Option<Range<usize>>,
}

/// A key together with everything that it stands in.
type KeyId = usize;

const ROOT: KeyId = 0;

impl Keys {
    pub(crate) fn read(text: &str) -> Self {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events = Vec::with_capacity(tokens.len());
        let mut guard = RecursionGuard::new(&mut events, MAX_DEPTH as u32);
        parse_document(&tokens, &mut guard, &mut ());
        let mut reader = Reader::new(source);
        for event in &events {
            reader.take(event);
        }
        reader.keys
    }

    /// The first place that is nested deeper than [`MAX_DEPTH`].
    pub(crate) fn too_deep(&self) -> Option<Range<usize>> {
        self.too_deep.clone()
    }

    /// Where the key that is written at `span` has its value first, if that is another place.
    pub(crate) fn first_of(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let first = self.defined.get(self.written.get(&span.start)?)?;
        (first != span).then(|| first.clone())
    }
}

struct Reader<'s> {
    source: Source<'s>,
    keys: Keys,
    ids: HashMap<(KeyId, Cow<'s, str>), KeyId>,
    /// By key: how many tables and lists it stands in.
    depths: Vec<usize>,
    /// The table that keys are relative to.
    base: KeyId,
    /// The key that is being read, as far as it is read.
    cursor: KeyId,
    last: Option<(KeyId, Range<usize>)>,
    /// The tables around the current value.
    around: Vec<Around>,
}

struct Around {
    base: KeyId,
    inside: Container,
}

#[derive(PartialEq)]
enum Container {
    Table,
    Array,
}

impl<'s> Reader<'s> {
    fn new(source: Source<'s>) -> Self {
        let keys = Keys { written: HashMap::new(), defined: HashMap::new(), too_deep: None };
        Self {
            source,
            keys,
            ids: HashMap::new(),
            depths: vec![0],
            base: ROOT,
            cursor: ROOT,
            last: None,
            around: Vec::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => self.start_at(ROOT),
            EventKind::SimpleKey => self.part(event),
            EventKind::KeyValSep => self.define(),
            EventKind::StdTableClose => {
                self.define();
                self.start_at(self.cursor);
            }
            EventKind::ArrayTableClose => {
                self.define();
                let element = self.fresh(event);
                self.start_at(element);
            }
            EventKind::InlineTableOpen => {
                let in_array =
                    self.around.last().is_some_and(|around| around.inside == Container::Array);
                let table = if in_array { self.fresh(event) } else { self.cursor };
                self.enter(table, Container::Table);
            }
            EventKind::ArrayOpen => {
                let array = self.fresh(event);
                self.enter(array, Container::Array);
            }
            EventKind::InlineTableClose | EventKind::ArrayClose => {
                let base = self.around.pop().map_or(ROOT, |around| around.base);
                self.start_at(base);
            }
            EventKind::Scalar | EventKind::ValueSep | EventKind::Newline => {
                self.start_at(self.base);
            }
            EventKind::KeySep | EventKind::Whitespace | EventKind::Comment | EventKind::Error => {}
        }
    }

    fn part(&mut self, event: &Event) {
        let Some(raw) = self.source.get(event) else { return };
        let mut name = Cow::Borrowed("");
        raw.decode_key(&mut name, &mut ());
        let next = self.depths.len();
        let key = *self.ids.entry((self.cursor, name)).or_insert(next);
        let span = event.span().start()..event.span().end();
        if key == next {
            self.add(&span);
        }
        self.cursor = key;
        self.keys.written.insert(span.start, self.cursor);
        self.last = Some((self.cursor, span));
    }

    fn define(&mut self) {
        if let Some((key, span)) = self.last.take() {
            self.keys.defined.entry(key).or_insert(span);
        }
    }

    /// A table or list without a name, in the current key.
    fn fresh(&mut self, event: &Event) -> KeyId {
        self.add(&(event.span().start()..event.span().end()));
        self.depths.len() - 1
    }

    /// Adds one below the current key.
    fn add(&mut self, span: &Range<usize>) {
        let depth = self.depths[self.cursor] + 1;
        self.depths.push(depth);
        if depth > MAX_DEPTH && self.keys.too_deep.is_none() {
            self.keys.too_deep = Some(span.clone());
        }
    }

    fn start_at(&mut self, base: KeyId) {
        self.base = base;
        self.cursor = base;
    }

    fn enter(&mut self, table: KeyId, inside: Container) {
        self.around.push(Around { base: self.base, inside });
        self.start_at(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_of_last(text: &str, key: &str) -> Option<usize> {
        let last = text.rfind(key).expect("the key is in the text");
        Keys::read(text).first_of(&(last..last + key.len())).map(|span| span.start)
    }

    #[test]
    fn the_first_place_of_a_key_is_found_however_it_is_written() {
        assert_eq!(first_of_last("a = 1\nb = 2\na = 3", "a"), Some(0));
        assert_eq!(first_of_last("[h.x]\n[h.y]\n[h.x]", "x"), Some(3));
        assert_eq!(first_of_last("[h]\nx.p = 1\n[h.\"x\"]\np = 2", "p"), Some(6));
        assert_eq!(first_of_last("t = { p = 1, q = 2, p = 3 }", "p"), Some(6));
    }

    #[test]
    fn equal_names_in_different_tables_are_different_keys() {
        assert_eq!(first_of_last("[h.x]\np = 1\n[h.y]\np = 2", "p"), None);
        assert_eq!(first_of_last("t = [{ p = 1 }, { p = 2 }]", "p"), None);
        assert_eq!(first_of_last("[[t]]\np = 1\n[[t]]\np = 2", "p"), None);
    }

    #[test]
    fn depth_counts_over_headers_dots_tables_and_lists() {
        let deep = |text: &str| Keys::read(text).too_deep();
        assert_eq!(deep("[a.b.c.d]\ne.f.g.h = { i.j.k.l = [[[[1]]]] }"), None);
        assert_eq!(deep("[a.b.c.d]\ne.f.g.h = { i.j.k.l = [[[[{}]]]] }"), Some(36..37));
        assert_eq!(deep(&format!("{}z = 1", "a.".repeat(16))), Some(32..33));
        assert_eq!(deep(&"[[".repeat(8)), None);
    }
}
