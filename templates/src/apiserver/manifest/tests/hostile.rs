use proptest::prelude::*;
use test_kit::hostile;

use super::super::*;
use super::wanted;

const SAMPLES: [&str; 4] = [
    include_str!("../../../../tests/manifests/edited/kubeadm-external.yaml"),
    include_str!("../../../../tests/manifests/edited/comments-and-quotes.yaml"),
    include_str!("../../../../tests/manifests/edited/anchors.yaml"),
    include_str!("../../../../tests/manifests/edited/json.yaml"),
];

/// What is handed out says what is wanted and is not edited twice; whether it is refused is not of interest here.
fn try_it(text: &str) -> Result<(), TestCaseError> {
    let Ok(manifest) = Manifest::read(text) else { return Ok(()) };
    if let Ok(edited) = manifest.edited(&wanted()) {
        let again = Manifest::read(&edited).unwrap();
        prop_assert!(again.says(&wanted()));
        prop_assert_eq!(again.edited(&wanted()).unwrap(), edited);
    }
    Ok(())
}

proptest! {
    #[test]
    fn hostile_manifests_are_edited_whole_or_refused(text in hostile::damaged_text(&SAMPLES)) {
        try_it(&text)?;
    }
}

#[test]
fn hostile_manifests_of_the_corpus_are_edited_whole_or_refused() {
    for (name, bytes) in hostile::corpus("manifest") {
        let text = String::from_utf8_lossy(&bytes);
        try_it(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
