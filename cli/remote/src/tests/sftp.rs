//! Files over SFTP, with OpenSSH's own server.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::trouble::through;
use crate::sftp::{Refusal, RemoteFile, Sftp, SftpError};
use crate::test_server::{Cable, Sshd};
use crate::{HostKeyPolicy, Target};

const INTERNAL: &str = "Subsystem sftp internal-sftp";

fn served() -> (Sshd, Sftp) {
    let sshd = Sshd::with(INTERNAL);
    let sftp = Sftp::open(sshd.target()).unwrap_or_else(|error| panic!("{error}\n{}", sshd.log()));
    (sshd, sftp)
}

/// More than three pieces, and none like another.
fn content() -> Vec<u8> {
    (0..3_300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn write(sftp: &Sftp, path: &std::path::Path, bytes: &[u8]) -> Result<(), SftpError> {
    let mut file = sftp.create(path)?;
    file.write_all(bytes).unwrap();
    file.finish()
}

fn read(sftp: &Sftp, path: &std::path::Path) -> Result<Vec<u8>, SftpError> {
    let mut bytes = Vec::new();
    sftp.read(path)?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

#[test]
fn what_is_written_over_sftp_is_what_is_read() {
    let (sshd, sftp) = served();
    let folder = sshd.path("files");
    sftp.make_folder(&folder).unwrap();
    let (one, two) = (folder.join("one"), folder.join("two"));
    write(&sftp, &one, &content()).unwrap();
    assert!(std::fs::read(&one).unwrap() == content());
    assert!(read(&sftp, &one).unwrap() == content());
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&one)), (0o700, 0o600));
    write(&sftp, &two, b"").unwrap();
    assert_eq!(read(&sftp, &two).unwrap(), b"");
    std::os::unix::fs::symlink(&one, folder.join("link")).unwrap();
    std::fs::create_dir(folder.join("folder")).unwrap();
    let mut files = sftp.files(&folder, |name| name != "two").unwrap();
    assert_eq!(files.pop(), Some(RemoteFile { name: "one".to_owned(), size: 3_300_000 }));
    assert!(files.is_empty(), "a link or a folder is no file: {files:?}");
    assert_eq!((sftp.exists(&one), sftp.exists(&sshd.path("none"))), (Ok(true), Ok(false)));
    sftp.remove(&one).unwrap();
    let error = sftp.remove(&one).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Missing));
    let why = format!("the host can't delete {}: there is no such file or folder", one.display());
    assert_eq!(error.to_string(), why);
}

#[test]
fn no_file_takes_the_place_of_another_over_sftp() {
    let (sshd, sftp) = served();
    let (one, two) = (sshd.path("one"), sshd.path("two"));
    write(&sftp, &one, b"first").unwrap();
    write(&sftp, &two, b"second").unwrap();
    let taken = SftpError::Taken { path: one.clone() };
    assert_eq!(sftp.create(&one).err(), Some(taken.clone()));
    assert_eq!(sftp.rename(&two, &one), Err(taken));
    assert_eq!(
        (read(&sftp, &one).unwrap(), read(&sftp, &two).unwrap()),
        (b"first".to_vec(), b"second".to_vec())
    );
    sftp.rename(&two, &sshd.path("three")).unwrap();
    assert!(!two.exists() && sshd.path("three").exists());
}

#[test]
fn files_that_are_open_at_once_do_not_mix() {
    let (sshd, sftp) = served();
    let [one, two] = ["one", "two"].map(|name| sshd.path(name));
    let (mut first, mut second) = (sftp.create(&one).unwrap(), sftp.create(&two).unwrap());
    for piece in content().chunks(700_000) {
        first.write_all(piece).unwrap();
        second.write_all(&piece[..piece.len() / 2]).unwrap();
    }
    first.finish().unwrap();
    second.finish().unwrap();
    assert!(read(&sftp, &one).unwrap() == content());
    assert_eq!(std::fs::metadata(&two).unwrap().len(), 1_650_000);
}

#[test]
fn sftp_goes_through_jump_hosts_and_trusts_only_known_keys() {
    let (gate, host) = (Sshd::start(), Sshd::with(INTERNAL));
    let way = Target { jump: Some(Box::new(gate.target())), ..host.target() };
    let sftp = Sftp::open(way.clone()).unwrap();
    write(&sftp, &host.path("one"), &content()).unwrap();
    assert!(read(&sftp, &host.path("one")).unwrap() == content());
    let nobody = HostKeyPolicy { pins: Vec::new(), known_hosts: Vec::new() };
    let error = Sftp::open(Target { host_keys: nobody, ..way }).unwrap_err();
    assert!(error.to_string().contains("is not known") && error.hint().is_some(), "{error}");
}

#[test]
fn a_host_without_sftp_says_so() {
    let sshd = Sshd::start();
    let error = Sftp::open(sshd.target()).unwrap_err();
    assert!(matches!(error, SftpError::NotOffered { .. }), "{error}");
    assert!(error.hint().unwrap().contains("internal-sftp"));
}

#[test]
fn what_a_server_forbids_is_denied() {
    let sshd = Sshd::with("Subsystem sftp internal-sftp -P remove");
    let sftp = Sftp::open(sshd.target()).unwrap();
    write(&sftp, &sshd.path("one"), b"x").unwrap();
    for name in ["one", "none"] {
        let error = sftp.remove(&sshd.path(name)).unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::Denied), "{name}");
    }
    assert!(sshd.path("one").exists());
}

#[test]
fn a_lost_connection_ends_what_is_under_way_and_holds_up_nobody() {
    let sshd = Sshd::with(INTERNAL);
    let cable = Cable::to(sshd.port);
    let sftp = Sftp::open(through(&sshd, &cable)).unwrap();
    let mut file = sftp.create(&sshd.path("one")).unwrap();
    file.write_all(&content()).unwrap();
    cable.cut();
    let began = Instant::now();
    let error = file.finish().unwrap_err();
    assert!(matches!(error, SftpError::Lost { .. }), "{error}");
    assert!(sftp.is_over());
    assert!(matches!(sftp.create(&sshd.path("two")), Err(SftpError::Lost { .. })));
    drop(sftp);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
