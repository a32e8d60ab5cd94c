//! "Did you mean": the known word that a misspelt one was probably meant to be.

/// The candidate nearest to `word`, if one is near enough that a slip of the hand explains it.
///
/// Up to a third of the letters may differ, so that a short word is never "corrected" into an
/// unrelated one. Of two that are equally near, the one that comes first wins.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // A word longer than any key is not a slip; measuring it would cost its length squared.
    if length > LONGEST {
        return None;
    }
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| {
            let letters = length.max(candidate.chars().count());
            *distance <= (letters / 3).clamp(1, 4) && *distance < letters
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

const LONGEST: usize = 100;

/// `peer_address` and `Peer-Address` are slips for `peer-address`.
fn fold(word: &str) -> String {
    word.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        let keys = ["address", "peer-address", "sans", "ssh"];
        assert_eq!(closest("adress", keys), Some("address"));
        assert_eq!(closest("peer_address", keys), Some("peer-address"));
        assert_eq!(closest("San", keys), Some("sans"));
    }

    #[test]
    fn an_unrelated_word_finds_nothing() {
        assert_eq!(closest("colour", ["address", "sans", "ssh"]), None);
        assert_eq!(closest("a", ["b"]), None);
        assert_eq!(closest("", ["b"]), None);
        assert_eq!(closest(&"a".repeat(100_000), ["address"]), None);
    }
}
