//! Writes a text as YAML.

use granit_parser::{ScalarStyle, StructureStyle};

/// Writes printable ASCII as a scalar in this style, in quotes where it must have some.
pub(super) fn written(text: &str, style: ScalarStyle, list: StructureStyle) -> String {
    match style {
        ScalarStyle::DoubleQuoted => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        ScalarStyle::Plain if is_plain(text, list) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Whether a text without quotes is that text to every reader of YAML.
fn is_plain(text: &str, list: StructureStyle) -> bool {
    let url = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains("://");
    // Anything else might be a number or a switch.
    let is_text = text.starts_with("--") || text.starts_with('/') || url;
    let flow = list == StructureStyle::Flow && text.contains([',', '[', ']', '{', '}']);
    is_text && !flow && !text.contains(' ') && !text.ends_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gets_quotes_where_it_would_not_be_that_text() {
        use ScalarStyle::{DoubleQuoted, Plain, SingleQuoted};
        use StructureStyle::{Block, Flow};
        let cases = [
            (
                "--etcd-servers=https://a,https://b",
                Plain,
                Block,
                "--etcd-servers=https://a,https://b",
            ),
            (
                "--etcd-servers=https://a,https://b",
                Plain,
                Flow,
                "'--etcd-servers=https://a,https://b'",
            ),
            ("https://[::1]:2379", Plain, Block, "https://[::1]:2379"),
            ("/events#https://a;https://b", Plain, Block, "/events#https://a;https://b"),
            ("--a=b # c", Plain, Block, "'--a=b # c'"),
            ("--a=b: c", Plain, Block, "'--a=b: c'"),
            ("--a=b:", Plain, Block, "'--a=b:'"),
            ("5", Plain, Block, "'5'"),
            ("5m", Plain, Block, "'5m'"),
            ("", Plain, Block, "''"),
            ("it's", SingleQuoted, Block, "'it''s'"),
            ("a\"b\\c", DoubleQuoted, Flow, "\"a\\\"b\\\\c\""),
        ];
        for (text, style, list, expected) in cases {
            assert_eq!(written(text, style, list), expected);
        }
    }
}
