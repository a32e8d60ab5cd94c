//! Words of a systemd command line (`ExecStart=`), quoted as systemd.syntax(7) and
//! systemd.service(5) have it.

/// Quotes a word, so that systemd gives the program exactly this argument.
///
/// Five readers come between: line continuation, word splitting with quotes, C escapes, `%`
/// specifiers, and `$` expansion. A NUL, which no argument can hold, becomes an escape that systemd
/// refuses to load.
pub(super) fn quote(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            // Line breaks above all: a value must never begin a line of the unit.
            c if c.is_control() => push_escaped(&mut quoted, c),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What means itself to all five readers, wherever it stands but at the beginning of a program.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '@' | '[' | ']')
}

fn push_escaped(quoted: &mut String, c: char) {
    let mut utf8 = [0; 4];
    for byte in c.encode_utf8(&mut utf8).bytes() {
        quoted.push_str(&format!("\\x{byte:02x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn an_ordinary_argument_is_left_readable() {
        let plain = "--listen-client-urls=https://[fd00::11]:2379,https://127.0.0.1:2379";
        assert_eq!(quote(plain), plain);
    }

    #[test]
    fn what_systemd_would_expand_is_doubled() {
        assert_eq!(quote("--a=100%"), r#""--a=100%%""#);
        assert_eq!(quote("--a=${HOME} $X"), r#""--a=$${HOME} $$X""#);
    }

    #[test]
    fn quotes_backslashes_and_line_breaks_are_escaped() {
        assert_eq!(quote(r#"a"b'c\"#), r#""a\"b'c\\""#);
        assert_eq!(quote("a\nExecStart=x"), r#""a\x0aExecStart=x""#);
        assert_eq!(quote(""), r#""""#);
    }
}
