//! What a release holds: the tarball and the package that `./dev dist` makes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/dist.sh");

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn packed(program: &Path, out: &Path) -> String {
    let script = Command::new(SCRIPT).args([program, out]).env("SOURCE_DATE_EPOCH", "1").output();
    let script = script.unwrap();
    assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
    fs::read_to_string(out.join("SHA256SUMS")).unwrap()
}

#[test]
fn a_release_holds_program_manuals_completions_and_documents_and_is_made_the_same_twice() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        println!("skipped: dpkg-deb is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Small, so that packing it takes no time.
    let program = folder.path().join("quorate");
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_quorate")))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let out = folder.path().join("dist");
    let sums = packed(&program, &out);
    assert_eq!(packed(&program, &folder.path().join("again")), sums);
    let checked = said(Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&out));
    assert_eq!(checked.matches(": OK").count(), 2, "{checked}");

    let name = |end: &str| {
        let line = sums.lines().find(|line| line.ends_with(end)).unwrap();
        out.join(line.split_whitespace().last().unwrap())
    };
    let tarball = said(Command::new("tar").arg("-tzf").arg(name(".tar.gz")));
    let package = said(Command::new("dpkg-deb").arg("-c").arg(name(".deb")));
    for file in [
        "bin/quorate",
        "share/man/man1/quorate.1.gz",
        "share/man/man1/quorate-apply.1.gz",
        "share/man/man1/quorate-snapshot-take.1.gz",
        "share/bash-completion/completions/quorate",
        "share/zsh/vendor-completions/_quorate",
        "share/fish/vendor_completions.d/quorate.fish",
        "share/doc/quorate/README.md",
        "share/doc/quorate/operations.md",
        "share/doc/quorate/copyright",
    ] {
        assert!(tarball.lines().any(|line| line.ends_with(file)), "{file}\n{tarball}");
        assert!(
            package.lines().any(|line| line.ends_with(&format!("/usr/{file}"))),
            "{file}\n{package}"
        );
    }
    assert!(package.lines().all(|line| line.contains(" root/root ")), "{package}");
}
