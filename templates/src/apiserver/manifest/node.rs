//! A YAML document as a tree whose nodes know where they stand in the text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, options};

use super::why::{NotUnderstood, Why};

/// A value, and where it stands. The place has neither the anchor nor the tag of the value in it. A block list or
/// mapping starts at its first entry and has no end of its own: see [`Node::content_end`].
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) value: Value<'t>,
    pub(super) place: Range<usize>,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) anchor: Option<Cow<'t, str>>,
    pub(super) tag: Option<String>,
    id: usize,
}

#[derive(Debug)]
pub(super) enum Value<'t> {
    Scalar(Cow<'t, str>, ScalarStyle),
    List(StructureStyle, Vec<Node<'t>>),
    Mapping(StructureStyle, Vec<(Node<'t>, Node<'t>)>),
    Alias(usize),
}

/// The one document of a text.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) root: Node<'t>,
    /// The anchored scalars.
    scalars: BTreeMap<usize, String>,
    /// The anchors that an alias repeats.
    repeated: BTreeSet<usize>,
}

impl<'t> Document<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self, NotUnderstood> {
        let odd = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        if let Some((at, c)) = text.char_indices().find(|(_, c)| odd(*c)) {
            return Err(Why::LineBreak(c.into()).at(line_of(text, at)));
        }
        let options = options! { emit_anchor_events: true, emit_comments: false };
        let mut reader = Reader::default();
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) =
                event.map_err(|error| Why::NotYaml(error.info()).at(error.marker().line()))?;
            reader.take(event, &span)?;
        }
        let Reader { root, scalars, repeated, .. } = reader;
        let root = root.ok_or(Why::NotAPod.at(1))?;
        Ok(Self { text, root, scalars, repeated })
    }

    /// The text of a scalar, or of the scalar that an alias stands for.
    pub(super) fn scalar<'n>(&'n self, node: &'n Node<'t>) -> Option<&'n str> {
        match &node.value {
            Value::Scalar(text, _) => Some(text),
            Value::Alias(id) => self.scalars.get(id).map(String::as_str),
            Value::List(..) | Value::Mapping(..) => None,
        }
    }

    /// Refuses a node that is edited where an alias would repeat the edit.
    pub(super) fn once(&self, node: &Node<'t>) -> Result<(), NotUnderstood> {
        if node.id != 0 && self.repeated.contains(&node.id) {
            return Err(Why::Repeated.at(node.line));
        }
        Ok(())
    }

    /// The value of a key, which must not come from elsewhere.
    pub(super) fn get<'n>(
        &self,
        mapping: &'n Node<'t>,
        name: &'static str,
        key: &'static str,
    ) -> Result<Option<&'n Node<'t>>, NotUnderstood> {
        let Value::Mapping(_, pairs) = &mapping.value else {
            return Err(Why::Kind { key: name, wanted: "mapping" }.at(mapping.line));
        };
        let mut found = None;
        for (own, value) in pairs {
            let text = self.scalar(own);
            if text == Some("<<") {
                return Err(Why::Merge.at(own.line));
            }
            if text == Some(key) && found.replace(value).is_some() {
                return Err(Why::Twice(key).at(own.line));
            }
        }
        Ok(found)
    }
}

impl Node<'_> {
    /// Where the last thing of it ends that is not a line break.
    pub(super) fn content_end(&self, text: &str) -> usize {
        let inner = match &self.value {
            Value::List(StructureStyle::Block, items) => {
                items.last().map(|item| item.content_end(text))
            }
            Value::Mapping(StructureStyle::Block, pairs) => {
                pairs.last().map(|(key, value)| value.content_end(text).max(key.place.end))
            }
            Value::Scalar(..) => {
                let own = text.get(self.place.clone()).unwrap_or_default();
                Some(self.place.start + own.trim_end().len())
            }
            _ => None,
        };
        inner.unwrap_or(self.place.end)
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Makes a tree of events.
#[derive(Default)]
struct Reader<'t> {
    open: Vec<Open<'t>>,
    root: Option<Node<'t>>,
    documents: usize,
    scalars: BTreeMap<usize, String>,
    repeated: BTreeSet<usize>,
}

/// A list or mapping whose end has not come yet.
struct Open<'t> {
    node: Node<'t>,
    key: Option<Node<'t>>,
}

impl<'t> Reader<'t> {
    fn take(&mut self, event: Event<'t>, span: &Span) -> Result<(), NotUnderstood> {
        let line = span.start.line();
        let tag = event.tag().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        let place = span.byte_range().ok_or(Why::Differs.at(line))?;
        let node = |value, id| {
            let (place, column) = (place.clone(), span.start.col());
            Node { value, place, line, column, anchor: None, tag, id }
        };
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Why::SecondDocument.at(line));
                }
            }
            Event::Scalar(text, style, id, _) => {
                if id != 0 {
                    self.scalars.insert(id, text.to_string());
                }
                self.put(node(Value::Scalar(text, style), id));
            }
            Event::Alias(id) => {
                self.repeated.insert(id);
                self.put(node(Value::Alias(id), 0));
            }
            Event::SequenceStart(style, id, _) => {
                self.open(node(Value::List(style, Vec::new()), id));
            }
            Event::MappingStart(style, id, _) => {
                self.open(node(Value::Mapping(style, Vec::new()), id));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place.end),
            Event::Anchor(_, name) => self.name(name),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, node: Node<'t>) {
        self.open.push(Open { node, key: None });
    }

    fn close(&mut self, end: usize) {
        if let Some(Open { mut node, .. }) = self.open.pop() {
            let flow = StructureStyle::Flow;
            if matches!(&node.value, Value::List(style, _) | Value::Mapping(style, _) if *style == flow)
            {
                node.place.end = end;
            }
            self.put(node);
        }
    }

    fn put(&mut self, node: Node<'t>) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.node.value {
            Value::List(_, items) => items.push(node),
            Value::Mapping(_, pairs) => match parent.key.take() {
                Some(key) => pairs.push((key, node)),
                None => parent.key = Some(node),
            },
            Value::Scalar(..) | Value::Alias(_) => {}
        }
    }

    /// Gives the node that came last its anchor.
    fn name(&mut self, name: Cow<'t, str>) {
        let last = match self.open.last_mut() {
            None => self.root.as_mut(),
            Some(Open { node, key }) => match &mut node.value {
                // A collection that was opened and has nothing in it yet.
                Value::List(_, items) if items.is_empty() => Some(node),
                Value::Mapping(_, pairs) if pairs.is_empty() && key.is_none() => Some(node),
                Value::List(_, items) => items.last_mut(),
                Value::Mapping(_, pairs) => match key {
                    Some(key) => Some(key),
                    None => pairs.last_mut().map(|(_, value)| value),
                },
                Value::Scalar(..) | Value::Alias(_) => None,
            },
        };
        if let Some(node) = last {
            node.anchor = Some(name);
        }
    }
}
