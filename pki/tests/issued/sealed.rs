//! CA keys sealed for people's keys, and what does not open them.

use std::io::{Read as _, Write as _};

use age::secrecy::{ExposeSecret as _, SecretString};
use pki::seal::{IdentityError, RecipientError, SealError, StreamError, UnsealError};
use pki::seal::{Sealer, open_stream, seal, unseal};
use pki::store::{StoreError, StoredAuthority};
use pki::{CaKind, CertificateAuthority, Identity, Passphrase, Recipient, StoredKey};

use crate::kit::{self, NOW};

// Made by ssh-keygen for these tests; they open nothing else.
const ED25519: (&str, &str) = (include_str!("keys/ed25519.key"), include_str!("keys/ed25519.pub"));
const RSA: (&str, &str) = (include_str!("keys/rsa.key"), include_str!("keys/rsa.pub"));
const ECDSA: (&str, &str) = (include_str!("keys/ecdsa.key"), include_str!("keys/ecdsa.pub"));
const LOCKED: (&str, &str) =
    (include_str!("keys/ed25519-locked.key"), include_str!("keys/ed25519-locked.pub"));
const LOCKED_PASSPHRASE: &str = "correct horse";

/// An age identity file as age-keygen writes it, and its public key.
fn age_pair() -> (String, String) {
    let key = age::x25519::Identity::generate();
    let public = key.to_public().to_string();
    let secret = key.to_string();
    let secret = secret.expose_secret();
    (format!("# created: 2026-11-23T12:00:00Z\n# public key: {public}\n{secret}\n"), public)
}

fn identity(text: &str) -> Identity {
    Identity::parse(text, None).unwrap()
}

fn recipient(text: &str) -> Recipient {
    Recipient::parse(text).unwrap()
}

fn why_not(text: &str) -> IdentityError {
    Identity::parse(text, None).unwrap_err()
}

#[test]
fn every_kind_of_key_opens_what_is_sealed_for_it() {
    let key = kit::authority(CaKind::Peer).into_key();
    let (age_secret, age_public) = age_pair();
    for (secret, public) in [(&*age_secret, &*age_public), ED25519, RSA] {
        let sealed = seal(&key, &[recipient(public)]).unwrap();
        let opened = unseal(&sealed, &[identity(secret)]).unwrap();
        assert_eq!(opened.expose(), key.expose(), "{public}");
    }
}

#[test]
fn every_recipient_of_several_opens_it() {
    let key = kit::authority(CaKind::Peer).into_key();
    let (age_secret, age_public) = age_pair();
    let sealed = seal(&key, &[recipient(&age_public), recipient(ED25519.1)]).unwrap();
    for secret in [&*age_secret, ED25519.0] {
        let opened = unseal(&sealed, &[identity(&age_pair().0), identity(secret)]).unwrap();
        assert_eq!(opened.expose(), key.expose());
    }
}

#[test]
fn a_locked_ssh_key_opens_it_with_its_passphrase_only() {
    let key = kit::authority(CaKind::Peer).into_key();
    let sealed = seal(&key, &[recipient(LOCKED.1)]).unwrap();
    let say = |words: &str| Passphrase::new(words);

    let unlocked = Identity::parse(LOCKED.0, Some(&say(LOCKED_PASSPHRASE))).unwrap();
    assert_eq!(unseal(&sealed, &[unlocked]).unwrap().expose(), key.expose());

    let wrong = Identity::parse(LOCKED.0, Some(&say("battery staple"))).unwrap_err();
    assert_eq!(wrong, IdentityError::WrongPassphrase);
    assert_eq!(why_not(LOCKED.0), IdentityError::PassphraseNeeded);
}

/// An identity file as `age -p` protects it, whose header asks for `claimed` work.
fn protected(text: &str, claimed: u8) -> String {
    const HONEST: u8 = 2;
    let mut passphrase = age::scrypt::Recipient::new(SecretString::from(LOCKED_PASSPHRASE));
    passphrase.set_work_factor(HONEST);
    let binary = age::encrypt(&passphrase, text.as_bytes()).unwrap();
    let header_end = binary.windows(4).position(|bytes| bytes == b"\n---").unwrap();
    let header = std::str::from_utf8(&binary[..header_end]).unwrap();
    let header = header.replacen(&format!(" {HONEST}\n"), &format!(" {claimed}\n"), 1);
    let armor = age::armor::Format::AsciiArmor;
    let mut writer = age::armor::ArmoredWriter::wrap_output(Vec::new(), armor).unwrap();
    writer.write_all(header.as_bytes()).unwrap();
    writer.write_all(&binary[header_end..]).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

#[test]
fn a_protected_identity_file_opens_with_its_passphrase_only() {
    let (secret, public) = age_pair();
    let say = |words: &str| Passphrase::new(words);
    let file = protected(&secret, 2);
    let key = kit::authority(CaKind::Peer).into_key();
    let sealed = seal(&key, &[recipient(&public)]).unwrap();

    let unlocked = Identity::parse(&file, Some(&say(LOCKED_PASSPHRASE))).unwrap();
    assert_eq!(unseal(&sealed, &[unlocked]).unwrap().expose(), key.expose());

    let wrong = Identity::parse(&file, Some(&say("battery staple"))).unwrap_err();
    assert_eq!(wrong, IdentityError::WrongPassphrase);
    assert_eq!(why_not(&file), IdentityError::PassphraseNeeded);
}

#[test]
fn an_identity_file_cannot_ask_for_hours_of_work() {
    let file = protected(&age_pair().0, 21);
    let passphrase = Passphrase::new(LOCKED_PASSPHRASE);
    assert_eq!(
        Identity::parse(&file, Some(&passphrase)).unwrap_err(),
        IdentityError::ExcessiveWork
    );
}

#[test]
fn who_is_not_a_recipient_does_not_open_it() {
    let key = kit::authority(CaKind::Peer).into_key();
    let sealed = seal(&key, &[recipient(&age_pair().1)]).unwrap();
    let others = [identity(&age_pair().0), identity(ED25519.0), identity(RSA.0)];
    let why = unseal(&sealed, &others).unwrap_err();
    assert!(matches!(why, UnsealError::NoneFits { identities: 3 }), "{why}");
    let why = unseal(&sealed, &[]).unwrap_err();
    assert!(matches!(why, UnsealError::NoIdentity), "{why}");
}

#[test]
fn nobody_to_seal_for_is_refused() {
    let key = kit::authority(CaKind::Peer).into_key();
    assert!(matches!(seal(&key, &[]), Err(SealError::NoRecipients)));
}

#[test]
fn a_key_that_is_cut_short_anywhere_is_refused() {
    let key = kit::authority(CaKind::Peer).into_key();
    let (secret, public) = age_pair();
    let identities = [identity(&secret)];
    let sealed = seal(&key, &[recipient(&public)]).unwrap();
    // The newline at the very end says nothing, and editors take it away.
    let sealed = sealed.trim_end();
    assert!(unseal(sealed, &identities).is_ok());
    for length in 0..sealed.len() {
        let cut = unseal(&sealed[..length], &identities);
        assert!(cut.is_err(), "{length} of {} bytes are accepted", sealed.len());
    }
}

#[test]
fn a_key_that_is_altered_anywhere_is_refused() {
    let key = kit::authority(CaKind::Peer).into_key();
    let (secret, public) = age_pair();
    let identities = [identity(&secret)];
    let sealed = seal(&key, &[recipient(&public)]).unwrap();
    for at in 0..sealed.trim_end().len() {
        let mut altered = sealed.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(unseal(&altered, &identities).is_err(), "byte {at} is accepted");
    }
    let why = unseal(&format!("{sealed}more"), &identities).unwrap_err();
    assert!(matches!(why, UnsealError::Damaged(_)), "{why}");
}

#[test]
fn what_quorate_did_not_seal_is_named() {
    let identities = [identity(&age_pair().0)];
    let why = unseal("-----BEGIN PRIVATE KEY-----", &identities).unwrap_err();
    assert!(matches!(why, UnsealError::NotSealed), "{why}");
    let why = unseal(&protected("key", 2), &identities).unwrap_err();
    assert!(matches!(why, UnsealError::Passphrase), "{why}");
}

#[test]
fn the_sealed_text_tells_nothing_of_the_key() {
    let key = kit::authority(CaKind::Peer).into_key();
    let sealed = seal(&key, &[recipient(ED25519.1)]).unwrap();
    let pem = std::str::from_utf8(key.expose()).unwrap();
    for line in pem.lines() {
        assert!(!sealed.contains(line), "{line}");
    }
}

#[test]
fn recipients_are_public_keys_that_can_be_sealed_for() {
    let (secret, public) = age_pair();
    assert_eq!(recipient(&public).to_string(), public);
    let without_comment = ED25519.1.rsplitn(5, ' ').last().unwrap();
    assert_eq!(recipient(ED25519.1).to_string(), without_comment);

    let unsupported = |kind: &str| RecipientError::Unsupported { kind: kind.to_owned() };
    for (text, why) in [
        ("", RecipientError::NotKey),
        ("ops@example.net", RecipientError::NotKey),
        ("age1", RecipientError::Malformed),
        (&public[..public.len() - 1], RecipientError::Malformed),
        (&public.to_uppercase(), RecipientError::NotKey),
        (&format!("{public}\n{public}"), RecipientError::NotKey),
        (&ED25519.1[..40], RecipientError::Malformed),
        (ECDSA.1, unsupported("ecdsa-sha2-nistp256")),
        ("sk-ssh-ed25519@openssh.com AAAA", unsupported("sk-ssh-ed25519@openssh.com")),
        ("age1yubikey1qwerty", unsupported("age1yubikey")),
        (secret.lines().last().unwrap(), RecipientError::PrivateKey),
        (ED25519.0, RecipientError::PrivateKey),
    ] {
        assert_eq!(Recipient::parse(text).unwrap_err(), why, "{text:?}");
    }
}

#[test]
fn files_that_are_no_identity_are_named_without_their_content() {
    let (secret, public) = age_pair();
    let unsupported = |kind: &str| IdentityError::Unsupported { kind: kind.to_owned() };
    for (text, why) in [
        ("", IdentityError::Empty),
        ("# nothing yet\n", IdentityError::Empty),
        ("hello", IdentityError::NotIdentity),
        (&public, IdentityError::PublicKey),
        (ED25519.1, IdentityError::PublicKey),
        (ECDSA.0, unsupported("ecdsa-sha2-nistp256")),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", IdentityError::NotIdentity),
        ("AGE-PLUGIN-YUBIKEY-1QQQ", IdentityError::Plugin { line: 1 }),
        (&format!("{secret}hello\n"), IdentityError::BadLine { line: 4 }),
        (&secret[..secret.len() - 2], IdentityError::BadLine { line: 3 }),
    ] {
        assert_eq!(why_not(text), why, "{text:?}");
    }
}

#[test]
fn a_stored_ca_opens_with_an_identity_and_issues() {
    let born = kit::authority(CaKind::Client);
    let stored = StoredAuthority::sealed(&born, &[recipient(ED25519.1)]).unwrap();
    assert!(matches!(stored.key, StoredKey::Sealed(_)));
    let opened = stored.open(&[identity(ED25519.0)], NOW).unwrap();
    let leaf = opened.issue(&kit::server(), NOW).unwrap();
    assert!(leaf.certificate.signed_by(born.certificate()));
}

#[test]
fn the_key_of_another_ca_in_the_right_file_is_refused() {
    let (one, two): (CertificateAuthority, _) =
        (kit::authority(CaKind::Client), kit::authority(CaKind::Client));
    let mut stored = StoredAuthority::sealed(&one, &[recipient(ED25519.1)]).unwrap();
    stored.cert_pem = two.certificate().pem();
    let why = stored.open(&[identity(ED25519.0)], NOW).unwrap_err();
    assert!(matches!(why, StoreError::Open { .. }), "{why}");
    assert!(why.hint().is_some());
}

/// Everything that a person could get to see of an error.
fn whole_chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn no_error_and_no_debug_text_repeats_a_piece_of_a_key() {
    let authority = kit::authority(CaKind::Client);
    let leaf = authority.issue(&kit::server(), NOW).unwrap();
    let mut shown = format!("{authority:?} {leaf:?} {:?}", identity(ED25519.0));

    let ca_pem = std::str::from_utf8(authority.key().expose()).unwrap();
    let (age_secret, _) = age_pair();
    let secrets = [ca_pem, ED25519.0, RSA.0, LOCKED.0, &age_secret];
    for secret in secrets {
        for length in (0..=secret.len()).step_by(7) {
            let piece = &secret[..length];
            if let Err(why) = Identity::parse(piece, None) {
                shown += &whole_chain(&why);
            }
            if let Err(why) = Recipient::parse(piece) {
                shown += &whole_chain(&why);
            }
            if let Err(why) = pki::Certificate::from_pem(piece) {
                shown += &whole_chain(&why);
            }
            let key = pki::CaKey::from_pem(piece.as_bytes().to_vec());
            let pem = authority.certificate().pem();
            if let Err(why) = CertificateAuthority::open(CaKind::Client, &pem, key, NOW) {
                shown += &whole_chain(&why);
            }
        }
    }
    for secret in secrets {
        for line in secret.lines().filter(|line| !line.starts_with(['-', '#'])) {
            for piece in line.as_bytes().chunks_exact(16) {
                let piece = std::str::from_utf8(piece).unwrap();
                assert!(!shown.contains(piece), "{piece} is shown");
            }
        }
    }
}

/// What is longer than the chunks that age seals one by one.
fn sealed_stream(public: &str) -> (Vec<u8>, Vec<u8>) {
    let plain: Vec<u8> =
        (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut sealer = Sealer::new(&[recipient(public)], Vec::new()).unwrap();
    for piece in plain.chunks(777) {
        sealer.write_all(piece).unwrap();
    }
    (plain, sealer.finish().unwrap())
}

fn opened(sealed: &[u8], secret: &str) -> Result<Vec<u8>, StreamError> {
    let mut plain = Vec::new();
    open_stream(sealed, &[identity(secret)])?.read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn a_stream_opens_for_its_recipients_and_for_nobody_else() {
    let (secret, public) = age_pair();
    for (secret, public) in [(secret.as_str(), public.as_str()), ED25519] {
        let (plain, sealed) = sealed_stream(public);
        assert_eq!(opened(&sealed, secret).unwrap(), plain);
        let stranger = age_pair().0;
        let refused = opened(&sealed, &stranger);
        assert!(matches!(refused, Err(StreamError::NoneFits { identities: 1 })), "{refused:?}");
        assert!(matches!(open_stream(&*sealed, &[]).err(), Some(StreamError::NoIdentity)));
    }
    assert!(matches!(Sealer::new(&[], Vec::new()).err(), Some(StreamError::NoRecipients)));
}

#[test]
fn no_part_of_a_sealed_stream_is_taken_for_the_whole() {
    let (_, sealed) = sealed_stream(ED25519.1);
    for cut in
        (0..300).chain((300..sealed.len()).step_by(997)).chain(sealed.len() - 20..sealed.len())
    {
        assert!(opened(&sealed[..cut], ED25519.0).is_err(), "cut at {cut}");
    }
    let mut longer = sealed;
    longer.push(0);
    assert!(opened(&longer, ED25519.0).is_err());
}
