//! Nothing that was damaged is ever taken for a backup: each file of one is flipped and cut at random.

use std::io::Write as _;

use pki::Identity;
use pki::seal::{Sealer, StreamError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use time::macros::datetime;

use super::{id, identity, opening, recipient, sidecar, snapshot};
use crate::backups::open::{OpenError, copy_sealed, open_snapshot};
use crate::backups::trailer::Measure;
use crate::backups::{BackupId, Opening, Sidecar};

struct Backup {
    id: BackupId,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    sidecar: Sidecar,
}

fn seal(plain: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(&[recipient()], Vec::new()).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn backup() -> Backup {
    let plain = snapshot(20);
    let sealed = seal(&plain);
    let id = id(datetime!(2026-11-29 14:05 UTC));
    let sidecar = sidecar(&id, &plain, &sealed);
    let sidecar = Sidecar::read(sidecar.text().unwrap().as_bytes(), &id).unwrap();
    Backup { id, plain, sealed, sidecar }
}

fn opened(sealed: &[u8], sidecar: &Sidecar) -> Result<Vec<u8>, OpenError> {
    let mut plain = Vec::new();
    open_snapshot(sealed, sidecar, &[identity()], &mut plain)?;
    Ok(plain)
}

fn why(sealed: &[u8], sidecar: &Sidecar) -> String {
    let error = opened(sealed, sidecar).unwrap_err();
    assert!(
        copy_sealed(sealed, sidecar, &mut Vec::new()).is_err()
            || !matches!(error, OpenError::Sealed(_))
    );
    error.to_string()
}

/// One flipped bit, or a cut.
fn damage(bytes: &[u8], (place, bit, cut): (prop::sample::Index, u8, bool)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = place.index(bytes.len());
    if cut {
        bytes.truncate(place);
    } else {
        bytes[place] ^= 1 << bit;
    }
    bytes
}

#[test]
fn a_whole_backup_opens_to_what_was_taken() {
    let Backup { plain, sealed, sidecar, .. } = backup();
    assert_eq!(opened(&sealed, &sidecar).unwrap(), plain);
    let mut copy = Vec::new();
    copy_sealed(sealed.as_slice(), &sidecar, &mut copy).unwrap();
    assert_eq!(copy, sealed);
}

#[test]
fn of_a_thousand_damaged_files_none_is_accepted() {
    let Backup { id, plain, sealed, sidecar } = backup();
    let text = sidecar.text().unwrap();
    let mut runner = TestRunner::new(Config { cases: 1000, ..Config::default() });
    let damages = (any::<prop::sample::Index>(), 0_u8..8, any::<bool>());
    let law = |done: (prop::sample::Index, u8, bool)| {
        let bad = damage(&sealed, done);
        prop_assert!(copy_sealed(bad.as_slice(), &sidecar, &mut Vec::new()).is_err());
        prop_assert!(opened(&bad, &sidecar).is_err());
        // An attacker who can write the sidecar too still can't get a damaged object opened.
        let fitting = super::sidecar(&id, &plain, &bad);
        prop_assert!(opened(&bad, &fitting).is_err());
        let bad = damage(text.as_bytes(), done);
        prop_assert!(Sidecar::read(&bad, &id).is_err());
        let bad = damage(&plain, done);
        let mut measure = Measure::default();
        measure.update(&bad);
        prop_assert!(measure.finish().trailer.is_err());
        prop_assert!(opened(&seal(&bad), &sidecar).is_err());
        Ok(())
    };
    runner.run(&damages, law).unwrap();
}

#[test]
fn each_flaw_is_said_as_it_is() {
    let Backup { id, plain, sealed, sidecar } = backup();
    let said = why(&sealed[..100], &sidecar);
    assert!(said.starts_with("the stored file is damaged: it has 100 bytes instead of"), "{said}");
    let said = why(b"", &sidecar);
    assert!(said.starts_with("the stored file is damaged: it has 0 bytes"), "{said}");
    let mut flipped = sealed;
    flipped[500] ^= 1;
    let said = why(&flipped, &sidecar);
    assert_eq!(said, "the stored file is damaged: its sha256 is not the one in the sidecar");
    // A snapshot of another moment, sealed for the same people, beside a sidecar that fits the file alone.
    let other = snapshot(19);
    let sealed_other = seal(&other);
    let mixed = super::sidecar(&id, &plain, &sealed_other);
    let said = why(&sealed_other, &mixed);
    assert!(said.starts_with("the snapshot in it is not the one that was taken"), "{said}");
    // No snapshot at all, and everything else fits.
    let text = seal(b"hello");
    let said = why(&text, &super::sidecar(&id, b"hello", &text));
    assert!(said.starts_with("the snapshot is truncated"), "{said}");
}

#[test]
fn an_identity_that_is_not_a_recipient_gets_an_error_that_says_so() {
    let Backup { sealed, sidecar, .. } = backup();
    let stranger = include_str!("../../../../../pki/tests/issued/keys/rsa.key");
    let stranger = [Identity::parse(stranger, None).unwrap()];
    let refused = open_snapshot(sealed.as_slice(), &sidecar, &stranger, &mut Vec::new());
    let none_fits = |error: &OpenError| {
        matches!(error, OpenError::Unseal(StreamError::NoneFits { identities: 1 }))
    };
    assert!(refused.as_ref().is_err_and(none_fits), "{refused:?}");
}

#[test]
fn a_record_counts_only_beside_the_file_that_was_opened() {
    let Backup { sidecar, .. } = backup();
    let text = opening(&sidecar).text().unwrap();
    let read = |text: &[u8], sidecar: &Sidecar| Opening::read(text, sidecar);
    assert!(read(text.as_bytes(), &sidecar).is_some());
    let resealed = Sidecar { sealed_sha256: "00".repeat(32), ..sidecar.clone() };
    let another =
        Sidecar { id: id(datetime!(2026-11-29 14:05 UTC)).to_string(), ..sidecar.clone() };
    for other in [resealed, another] {
        assert_eq!(read(text.as_bytes(), &other), None);
    }
    for place in 0..text.len() {
        let mut flipped = text.clone().into_bytes();
        flipped[place] ^= 1;
        assert_eq!(read(&flipped, &sidecar), None, "{place}");
        assert_eq!(read(&text.as_bytes()[..place], &sidecar), None, "{place}");
    }
    let later = Opening { format: 2, ..opening(&sidecar) }.text().unwrap();
    assert_eq!(read(later.as_bytes(), &sidecar), None);
}

#[test]
fn a_sidecar_of_another_backup_or_a_later_program_is_refused() {
    let Backup { sidecar, .. } = backup();
    let text = sidecar.text().unwrap();
    let other = id(datetime!(2026-11-29 14:05 UTC));
    let said = Sidecar::read(text.as_bytes(), &other).unwrap_err().to_string();
    assert!(said.starts_with("its sidecar belongs to another backup, prod.main."), "{said}");
    let newer = Sidecar { format: 2, ..sidecar }.text().unwrap();
    let said = Sidecar::read(newer.as_bytes(), &other).unwrap_err().to_string();
    assert_eq!(said, "its sidecar has format 2, which a newer quorate wrote");
}
