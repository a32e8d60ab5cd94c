//! Reading known_hosts files.
//!
//! libssh2's own reader ignores `@revoked`, takes a key of another type for a changed one, knows no
//! patterns, and stops at the first line it cannot read (the rest of the file is then as good as
//! missing). So the lines are read here, by OpenSSH's rules.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::host_key::{HostKey, lookup_name};

/// What known_hosts files say about one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Keys listed for the host under its name and port.
    pub(crate) keys: Vec<Entry>,
    /// Keys listed under the plain name while the port is not 22; only a match counts.
    pub(crate) plain: Vec<Entry>,
    /// Keys that must never be accepted for the host.
    pub(crate) revoked: Vec<Entry>,
    /// Keys of those who may sign the host's certificate.
    pub(crate) authorities: Vec<Entry>,
    /// Those that are listed for the plain name while the port is not 22.
    pub(crate) plain_authorities: Vec<Entry>,
}

/// A key and where it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: HostKey,
    /// `file:line`.
    pub(crate) place: String,
}

impl Known {
    /// Adds what `text`, the content of `file`, says about the host. Lines that cannot be read are
    /// skipped, as OpenSSH does: they name no key that could be accepted.
    pub(crate) fn read(&mut self, file: &str, text: &[u8], host: &str, port: u16) {
        let name = lookup_name(host, port);
        let plain = lookup_name(host, 22);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            // A comment may be in any encoding, and a key that is revoked is revoked all the same.
            let text = String::from_utf8_lossy(line);
            let Some(line) = Line::parse(&text) else { continue };
            let exact = matches_host(line.hosts, &name);
            if !exact && !matches_host(line.hosts, &plain) {
                continue;
            }
            let place = format!("{file}:{}", index + 1);
            match line.marker {
                Marker::Authority if exact => self.authorities.push(Entry { key: line.key, place }),
                Marker::Authority => {
                    self.plain_authorities.push(Entry { key: line.key, place });
                }
                Marker::Revoked => self.revoked.push(Entry { key: line.key, place }),
                Marker::None if exact => self.keys.push(Entry { key: line.key, place }),
                Marker::None => self.plain.push(Entry { key: line.key, place }),
            }
        }
    }
}

struct Line<'a> {
    marker: Marker,
    hosts: &'a str,
    key: HostKey,
}

#[derive(Clone, Copy)]
enum Marker {
    None,
    Authority,
    Revoked,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
        let first = words.next().filter(|word| !word.starts_with('#'))?;
        let (marker, hosts) = match first {
            "@revoked" => (Marker::Revoked, words.next()?),
            "@cert-authority" => (Marker::Authority, words.next()?),
            unknown if unknown.starts_with('@') => return None,
            hosts => (Marker::None, hosts),
        };
        let kind = words.next()?;
        let key = HostKey::new(STANDARD.decode(words.next()?).ok()?)?;
        (key.kind() == kind).then_some(Line { marker, hosts, key })
    }
}

/// Whether the host field of a line names the host: one hashed name, or patterns of which none is
/// negated for this host.
fn matches_host(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return matches_hash(hashed, name);
    }
    let mut found = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches_pattern(&negated.to_lowercase(), name) => return false,
            Some(_) => {}
            None => found |= matches_pattern(&pattern.to_lowercase(), name),
        }
    }
    found
}

fn matches_hash(hashed: &str, name: &str) -> bool {
    let parts = hashed
        .split_once('|')
        .and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
    let Some((salt, hash)) = parts else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// `*` and `?` as in OpenSSH. Greedy with one point to go back to, so that no pattern is slow.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kit::hostile;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn known(text: &str, host: &str, port: u16) -> Known {
        let mut known = Known::default();
        known.read("kh", text.as_bytes(), host, port);
        known
    }

    fn knows(hosts: &str, host: &str, port: u16) -> bool {
        !known(&format!("{hosts} {KEY}\n"), host, port).keys.is_empty()
    }

    #[test]
    fn names_ports_patterns_and_negations_are_read_as_openssh_reads_them() {
        assert!(knows("h1", "H1", 22));
        assert!(knows("a,h1,b", "h1", 22));
        assert!(knows("[h1]:2222", "h1", 2222));
        assert!(!knows("[h1]:2222", "h1", 22));
        assert!(!knows("h1", "h1", 2222));
        assert!(knows("*.example.net", "a.b.example.net", 22));
        assert!(knows("h?", "h1", 22));
        assert!(!knows("h?", "h", 22));
        assert!(!knows("*,!h1", "h1", 22));
        assert!(knows("!h2,*", "h1", 22));
        assert!(!knows("!h1", "h2", 22));
        assert!(knows("fe80::1", "fe80::1", 22));
    }

    #[test]
    fn hashed_names_are_found() {
        // ssh-keygen -H made these of "h.example" and "[h]:2222".
        let plain = "|1|YOX7pmvgcd1TN9Sz70O4BK/BD8U=|n/uQiWq8J2FNiDYwwVvG+BegaWs=";
        let with_port = "|1|N0qvj1nNfY0awLZHPMA1r6Qj11Q=|kj1t7zEtYSwA1/kWQihySGNoe4g=";
        assert!(knows(plain, "h.example", 22));
        assert!(!knows(plain, "h.example.net", 22));
        assert!(knows(with_port, "h", 2222));
        assert!(!knows(with_port, "h", 22));
    }

    #[test]
    fn a_bad_line_hides_no_other_line() {
        let text = format!(
            "\u{0}garbage\n# note\nh1 ssh-ed25519 %%%\nh1 ssh-rsa {}\n@new h1 {KEY}\n\nh1 {KEY} comment here\r\n",
            KEY.split_once(' ').unwrap().1
        );
        let known = known(&text, "h1", 22);
        assert_eq!(known.keys.len(), 1);
        assert_eq!(known.keys[0].place, "kh:7");
    }

    /// Latin-1, as an editor of another time wrote it.
    #[test]
    fn a_comment_in_another_encoding_hides_no_revoked_key() {
        let mut text = format!("@revoked * {KEY} alter Schl").into_bytes();
        text.extend(b"\xfcssel\n");
        let mut known = Known::default();
        known.read("kh", &text, "h1", 22);
        assert_eq!(known.revoked.len(), 1);
    }

    #[test]
    fn markers_are_kept_apart_from_keys() {
        let known =
            known(&format!("@revoked * {KEY}\n@cert-authority *.net {KEY}\n"), "a.net", 2222);
        assert_eq!((known.keys.len(), known.revoked.len()), (0, 1));
        assert!(known.authorities.is_empty(), "the pattern is not for [a.net]:2222");
        assert_eq!(known.plain_authorities.len(), 1, "and ssh takes the second choice");
    }

    #[test]
    fn a_plain_name_is_only_a_second_choice_for_another_port() {
        let known = known(&format!("h1 {KEY}\n"), "h1", 2222);
        assert_eq!((known.keys.len(), known.plain.len()), (0, 1));
    }

    /// One line of each kind.
    fn sample() -> String {
        format!(
            "# a note\nh1,10.0.0.1 {KEY}\n[h1]:2222 {KEY} a comment\n*.net,!bad.net {KEY}\n\
             @revoked * {KEY}\n@cert-authority *.net {KEY}\n\
             |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {KEY}\n"
        )
    }

    /// Reads a file for a host whose name is in it; no key comes of it that is not a whole line's.
    fn check(bytes: &[u8]) {
        let mut known = Known::default();
        known.read("kh", bytes, "h1", 2222);
        let lines = bytes.split(|byte| *byte == b'\n').count();
        let Known { keys, plain, revoked, authorities, plain_authorities } = known;
        let authorities = authorities.len() + plain_authorities.len();
        assert!(keys.len() + plain.len() + revoked.len() + authorities <= lines);
    }

    #[test]
    fn the_corpus_is_read_without_panic() {
        for (name, bytes) in hostile::corpus("known-hosts") {
            eprintln!("{name}");
            check(&bytes);
        }
    }

    #[test]
    fn a_line_of_a_megabyte_is_read_in_no_time() {
        let started = std::time::Instant::now();
        let names = "h*h*h*h*,!x,".repeat(100_000);
        check(format!("{names}h1 {KEY}\n@revoked {names} {}", "A".repeat(1_000_000)).as_bytes());
        assert!(started.elapsed().as_secs() < 10);
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_without_panic(
            bytes in hostile::damaged(vec![sample().into_bytes()]),
        ) {
            check(&bytes);
        }

        #[test]
        fn any_text_is_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            Known::default().read("kh", &text, "h1", 22);
        }

        #[test]
        fn patterns_of_many_stars_are_fast(stars in "[*a?]{0,200}") {
            matches_pattern(&stars, &"a".repeat(500));
        }
    }
}
