//! Where every key of a file is written, before a tree is made of it.
//!
//! The parser says that a key is written twice, but not where it was first; and it builds trees as
//! deep as a dotted key is long. Both need a look at the keys alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

/// Values that are nested deeper are refused by the parser of the tree.
const MAX_VALUE_DEPTH: u32 = 64;

/// The keys of a file.
pub(crate) struct Keys {
    /// By the byte where a key is written: which key it is.
    written: HashMap<usize, KeyId>,
    /// Where each key is given its value for the first time.
    defined: HashMap<KeyId, Range<usize>>,
    longest: Option<(usize, Range<usize>)>,
}

/// A key together with everything that it stands in.
type KeyId = usize;

const ROOT: KeyId = 0;

impl Keys {
    pub(crate) fn read(text: &str) -> Self {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events = Vec::with_capacity(tokens.len());
        let mut guard = RecursionGuard::new(&mut events, MAX_VALUE_DEPTH);
        parse_document(&tokens, &mut guard, &mut ());
        let mut reader = Reader::new(source);
        for event in &events {
            reader.take(event);
        }
        reader.keys
    }

    /// The first key with more than `most` parts, such as the 3 of `a.b.c`.
    pub(crate) fn deeper_than(&self, most: usize) -> Option<Range<usize>> {
        self.longest.as_ref().filter(|(parts, _)| *parts > most).map(|(_, span)| span.clone())
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
    next: KeyId,
    /// The table that keys are relative to.
    base: KeyId,
    /// The key that is being read, and how many parts it has so far.
    cursor: KeyId,
    parts: usize,
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
        let keys = Keys { written: HashMap::new(), defined: HashMap::new(), longest: None };
        Self {
            source,
            keys,
            ids: HashMap::new(),
            next: ROOT + 1,
            base: ROOT,
            cursor: ROOT,
            parts: 0,
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
                let element = self.fresh();
                self.start_at(element);
            }
            EventKind::InlineTableOpen => {
                let in_array =
                    self.around.last().is_some_and(|around| around.inside == Container::Array);
                let table = if in_array { self.fresh() } else { self.cursor };
                self.enter(table, Container::Table);
            }
            EventKind::ArrayOpen => {
                let array = self.fresh();
                self.enter(array, Container::Array);
            }
            EventKind::InlineTableClose | EventKind::ArrayClose => {
                let base = self.around.pop().map_or(ROOT, |around| around.base);
                self.start_at(base);
            }
            EventKind::Scalar | EventKind::ValueSep | EventKind::Newline => {
                self.start_at(self.base)
            }
            EventKind::KeySep | EventKind::Whitespace | EventKind::Comment | EventKind::Error => {}
        }
    }

    fn part(&mut self, event: &Event) {
        let Some(raw) = self.source.get(event) else { return };
        let mut name = Cow::Borrowed("");
        raw.decode_key(&mut name, &mut ());
        let next = self.next;
        self.cursor = *self.ids.entry((self.cursor, name)).or_insert(next);
        if self.cursor == next {
            self.next += 1;
        }
        let span = event.span().start()..event.span().end();
        self.keys.written.insert(span.start, self.cursor);
        self.parts += 1;
        if self.keys.longest.as_ref().is_none_or(|(parts, _)| self.parts > *parts) {
            self.keys.longest = Some((self.parts, span.clone()));
        }
        self.last = Some((self.cursor, span));
    }

    fn define(&mut self) {
        if let Some((key, span)) = self.last.take() {
            self.keys.defined.entry(key).or_insert(span);
        }
    }

    fn fresh(&mut self) -> KeyId {
        self.next += 1;
        self.next - 1
    }

    fn start_at(&mut self, base: KeyId) {
        self.base = base;
        self.cursor = base;
        self.parts = 0;
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
    fn long_keys_are_found() {
        let keys = Keys::read("a.b.c = 1\nd = 1");
        assert_eq!(keys.deeper_than(2), Some(4..5));
        assert_eq!(keys.deeper_than(3), None);
    }
}
