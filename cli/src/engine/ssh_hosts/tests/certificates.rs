//! Certificates come into use as one generation.

use templates::layout::PkiFile;

use super::super::script;
use super::bench::{Bench, Run, mode, on_each_shell};

fn install(bench: &Bench, generation: &str) -> Run<'static> {
    let mut args = vec![bench.arg("pki"), generation.to_owned(), "root".to_owned()];
    let mut blobs = Vec::new();
    let mut manifest = String::new();
    for file in PkiFile::ALL {
        let (mode, ..) = planner::attributes(file);
        let content = format!("{generation} {}", file.name()).into_bytes();
        args.extend([file.name().to_owned(), format!("{mode:o}"), "root:root".to_owned()]);
        manifest += &format!("{}  {}\n", pki::Sha256Digest::of(&content), file.name());
        blobs.push(content);
    }
    blobs.push(manifest.into_bytes());
    Run { blobs, ..Run::unguarded(script::INSTALL_CERTIFICATES, &args) }
}

fn prepared(bench: &Bench) {
    std::fs::create_dir(bench.path("pki")).unwrap();
}

#[test]
fn a_generation_is_whole_and_its_keys_are_closed() {
    on_each_shell(|bench| {
        prepared(bench);
        assert_eq!(bench.done(&install(bench, "one")), "changed");
        assert_eq!(std::fs::read_link(bench.path("pki/current")).unwrap().as_os_str(), "one");
        for file in PkiFile::ALL {
            let path = format!("pki/current/{}", file.name());
            assert_eq!(bench.read(&path), format!("one {}", file.name()));
            assert_eq!(mode(&bench.path(&path)), planner::attributes(file).0);
        }
        assert_eq!(bench.read("pki/current/manifest").lines().count(), 8);
        assert_eq!(mode(&bench.path("pki/one")), 0o750);
    });
}

#[test]
fn the_generation_before_stays_and_older_ones_go() {
    on_each_shell(|bench| {
        prepared(bench);
        for generation in ["one", "two", "three"] {
            bench.done(&install(bench, generation));
        }
        std::fs::create_dir(bench.path("pki/foreign")).unwrap();
        bench.done(&install(bench, "four"));
        let mut there: Vec<String> =
            bench.entries().into_iter().filter(|path| path.matches('/').count() == 1).collect();
        there.sort();
        assert_eq!(there, ["pki/current", "pki/foreign", "pki/four", "pki/three"]);
        assert_eq!(std::fs::read_link(bench.path("pki/current")).unwrap().as_os_str(), "four");
    });
}

#[test]
fn a_payload_that_was_cut_off_anywhere_changes_nothing() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&install(bench, "one"));
        let before = bench.entries();
        let length: usize = install(bench, "two").blobs.iter().map(Vec::len).sum();
        for missing in [1, 6, 7, length / 2, length] {
            let reply = bench.run(&Run { missing, ..install(bench, "two") });
            assert_eq!(reply.status, 81, "{missing} bytes missing: {}", reply.stderr);
            assert_eq!(bench.entries(), before);
        }
    });
}

#[test]
fn what_differs_from_its_manifest_is_not_used() {
    on_each_shell(|bench| {
        prepared(bench);
        let mut run = install(bench, "one");
        run.blobs[0][0] ^= 1;
        let reply = bench.run(&run);
        assert_eq!(reply.status, 1);
        assert_eq!(bench.entries(), ["pki"]);
    });
}
