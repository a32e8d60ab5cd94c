//! Arbitrary text, and good inventories that were damaged: never a panic, and every answer points
//! into its file.

use inventories::diagnostic::{Colour, Location, render_all};
use inventories::{Diagnostic, Severity, Source, includes, parse};
use proptest::prelude::*;

use crate::flags;

const EXAMPLES: [&str; 4] = [
    include_str!("../../examples/minimal.toml"),
    include_str!("../../examples/two-clusters.toml"),
    include_str!("../../examples/air-gapped.toml"),
    include_str!("../../examples/ipv6.toml"),
];

fn check(main: &str, included: &str) -> Result<(), TestCaseError> {
    let main = Source::new("main.toml", main);
    let included = Source::new("included.toml", included);
    includes(&main);
    let parsed = parse(&main, std::slice::from_ref(&included), flags::CHECKS);
    let errors = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
    prop_assert_eq!(parsed.inventory.is_none(), errors);
    for Diagnostic { at, related, code, .. } in &parsed.diagnostics {
        prop_assert_ne!(*code, "structure", "the schema and the structs differ");
        points_into(at, &main, &included)?;
        if let Some(related) = related {
            points_into(&related.at, &main, &included)?;
        }
    }
    let shown = render_all(&parsed.diagnostics, Colour::Never);
    prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{}", shown);
    Ok(())
}

fn points_into(at: &Location, main: &Source, included: &Source) -> Result<(), TestCaseError> {
    let source = if at.file == main.name { main } else { included };
    prop_assert_eq!(&at.file, &source.name);
    prop_assert!(source.text.get(at.span.clone()).is_some(), "{:?}", at);
    let before = &source.text[..at.span.start];
    prop_assert_eq!(at.line, before.matches('\n').count() + 1);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    prop_assert_eq!(at.column, before[line_start..].chars().count() + 1);
    prop_assert!(at.excerpt.code.get(at.excerpt.highlight.clone()).is_some(), "{:?}", at);
    Ok(())
}

/// A piece of TOML, of an inventory, or of an attack.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\n".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"\"".to_owned()),
        Just(" = ".to_owned()),
        Just("[hosts.".to_owned()),
        Just("[[clusters]]".to_owned()),
        Just("{ a = 1 }".to_owned()),
        Just("etcd-1".to_owned()),
        Just("3.6.16".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("$(touch /tmp/x)`x`;${x}{{ x }}%s".to_owned()),
        Just("../../etc/passwd\0".to_owned()),
        Just("\u{202e}\u{200b}\u{1b}[31mе\u{301}".to_owned()),
        Just("AGE-SECRET-KEY-1QQ".to_owned()),
        Just("-----BEGIN ".to_owned()),
        "[a-z-]{1,12}",
        any::<char>().prop_map(String::from),
        any::<f64>().prop_map(|number| number.to_string()),
    ]
}

/// A good inventory in which some bytes were replaced.
fn damaged() -> impl Strategy<Value = String> {
    let damage = (any::<prop::sample::Index>(), 0..40_usize, piece());
    (0..EXAMPLES.len(), prop::collection::vec(damage, 1..6)).prop_map(|(example, damages)| {
        let mut text = EXAMPLES[example].to_owned();
        for (place, length, piece) in damages {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &piece);
        }
        text
    })
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(main in any::<String>(), included in any::<String>()) {
        check(&main, &included)?;
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        check(&String::from_utf8_lossy(&bytes), "")?;
    }

    #[test]
    fn any_heap_of_pieces_gets_an_answer(pieces in prop::collection::vec(piece(), 0..60)) {
        check(&pieces.concat(), &pieces.concat())?;
    }

    #[test]
    fn a_damaged_inventory_gets_an_answer(main in damaged(), included in damaged()) {
        check(&main, &included)?;
    }
}
