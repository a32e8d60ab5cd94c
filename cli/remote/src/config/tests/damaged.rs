//! Configurations that are broken, on purpose or not.

use proptest::prelude::*;

use super::super::{Settings, Source, Subject, resolve};
use super::{CONFIGS, nobody, source};
use test_kit::hostile;

/// The configuration includes itself under every name but `none`.
fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let source = source("c", &text);
    let load = |pattern: &str, _: &Source| {
        Ok(if pattern == "none" { Vec::new() } else { vec![source.clone()] })
    };
    let sources = std::slice::from_ref(&source);
    let subject = Subject { host: "web1", local_user: "u" };
    let _ = resolve(subject, Settings::default(), sources, &load, &nobody);
}

#[test]
fn the_corpus_is_read_without_panic() {
    for (name, bytes) in hostile::corpus("ssh-config") {
        eprintln!("{name}");
        check(&bytes);
    }
}

fn samples() -> Vec<Vec<u8>> {
    let corpus = hostile::corpus("ssh-config").into_iter().map(|(_, bytes)| bytes);
    CONFIGS.iter().map(|text| text.as_bytes().to_vec()).chain(corpus).collect()
}

fn read_alone(text: &str) {
    let none = |_: &str, _: &Source| Ok(Vec::new());
    let subject = Subject { host: "h", local_user: "u" };
    let _ = resolve(subject, Settings::default(), &[source("c", text)], &none, &nobody);
}

proptest! {
    #[test]
    fn a_damaged_configuration_is_read_without_panic(bytes in hostile::damaged(samples())) {
        check(&bytes);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(?s).{0,300}") {
        read_alone(&text);
    }

    #[test]
    fn any_lines_of_known_words_are_read_without_panic(
        lines in proptest::collection::vec(
            "(Host|Match|Match exec|Match final|HostName|Port|User|Include|IdentityFile|ConnectTimeout)( |=|\t)?[%h*!,\"'\\\\a0-9é~$# -]{0,12}",
            0..12,
        ),
    ) {
        read_alone(&lines.join("\n"));
    }
}
