//! A reader of `ExecStart=`, written from systemd.syntax(7) and systemd.service(5), to hold the
//! quoting against. It panics at what it would have to expand.

/// What is run by the `ExecStart=` of a unit, as systemd reads it.
pub(crate) fn exec_start(unit: &str) -> Vec<String> {
    let joined = join_continued(unit);
    let command = joined
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .expect("an ExecStart= line");
    // What `env` is given, with the one variable that systemd has to expand, is not of etcd's arguments.
    let own = "/usr/bin/env -i NOTIFY_SOCKET=${NOTIFY_SOCKET} ";
    let command = command.strip_prefix(own).unwrap_or(command);
    split(command).iter().map(|word| collapse(&collapse(word, '%'), '$')).collect()
}

/// "Lines ending in a backslash are concatenated with the following non-comment line while reading
/// and the backslash is replaced by a space character."
fn join_continued(unit: &str) -> String {
    let mut joined = String::new();
    let mut continued = false;
    for line in unit.split('\n') {
        if continued && line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        continued = line.ends_with('\\');
        match line.strip_suffix('\\') {
            Some(line) => joined.extend([line, " "]),
            None => joined.extend([line, "\n"]),
        }
    }
    joined
}

fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut bytes = command.bytes().peekable();
    while let Some(first) = bytes.next() {
        if first.is_ascii_whitespace() {
            continue;
        }
        let mut word = Vec::new();
        let mut quote = None;
        let mut next = Some(first);
        while let Some(byte) = next {
            match (quote, byte) {
                (None, byte) if byte.is_ascii_whitespace() => break,
                (None, b'"' | b'\'') => quote = Some(byte),
                (Some(open), byte) if open == byte => quote = None,
                (_, b'\\') => word.push(unescape(&mut bytes)),
                (_, byte) => word.push(byte),
            }
            next = bytes.next();
        }
        assert_eq!(quote, None, "an open quote in {command:?}");
        words.push(String::from_utf8(word).expect("UTF-8"));
    }
    words
}

fn unescape(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    let mut next = || bytes.next().expect("a character after a backslash");
    match next() {
        literal @ (b'\\' | b'"' | b'\'') => literal,
        b'x' => {
            let digits = [next(), next()];
            let digits = std::str::from_utf8(&digits).expect("hex digits");
            u8::from_str_radix(digits, 16).expect("hex digits")
        }
        other => panic!("an escape that quoting never writes: {:?}", char::from(other)),
    }
}

/// `%%` is a `%`, `$$` is a `$`; one alone would be expanded.
fn collapse(word: &str, special: char) -> String {
    let doubled = String::from_iter([special, special]);
    let parts: Vec<&str> = word.split(&doubled).collect();
    for part in &parts {
        assert!(!part.contains(special), "{special} would be expanded in {word:?}");
    }
    parts.join(&special.to_string())
}
