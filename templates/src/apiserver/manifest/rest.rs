//! What of a manifest is not ours, as a list of pieces that can be compared.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::node::{Document, Node, Value};

/// A part of a document without its place and layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    List,
    Mapping,
    End,
    /// A text, and whether it stands without quotes: then it may be a number or a switch.
    Text(String, bool),
    Alias(String),
    Anchor(String),
    Tag(String),
}

/// All of a document but the entries at these places. A list that has nothing else goes with its key.
pub(super) fn rest(document: &Document<'_>, ours: &[Range<usize>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    Walk { text: document.text, ours }.node(&document.root, &mut pieces);
    pieces
}

struct Walk<'a> {
    text: &'a str,
    ours: &'a [Range<usize>],
}

impl Walk<'_> {
    fn node(&self, node: &Node<'_>, pieces: &mut Vec<Piece>) {
        pieces.extend(node.anchor.iter().map(|name| Piece::Anchor(name.to_string())));
        pieces.extend(node.tag.clone().map(Piece::Tag));
        match &node.value {
            Value::Scalar(text, style) => {
                pieces.push(Piece::Text(text.to_string(), *style == ScalarStyle::Plain));
            }
            Value::Alias(_) => {
                let name = self.text.get(node.place.clone()).unwrap_or_default();
                pieces.push(Piece::Alias(name.to_owned()));
            }
            Value::List(_, entries) => {
                pieces.push(Piece::List);
                for entry in entries.iter().filter(|entry| !self.is_ours(entry)) {
                    self.node(entry, pieces);
                }
                pieces.push(Piece::End);
            }
            Value::Mapping(_, pairs) => {
                pieces.push(Piece::Mapping);
                for (key, value) in pairs.iter().filter(|(_, value)| !self.all_ours(value)) {
                    self.node(key, pieces);
                    self.node(value, pieces);
                }
                pieces.push(Piece::End);
            }
        }
    }

    fn is_ours(&self, node: &Node<'_>) -> bool {
        self.ours.contains(&node.place)
    }

    fn all_ours(&self, node: &Node<'_>) -> bool {
        match &node.value {
            Value::List(_, entries) => {
                !entries.is_empty() && entries.iter().all(|entry| self.is_ours(entry))
            }
            _ => false,
        }
    }
}
