//! Where release archives come from, and their checksums.

use std::collections::{BTreeMap, BTreeSet};

use super::Layer;
use super::cluster::Lowered;
use crate::escape::escape;
use crate::inventory::{Arch, Image, Release, ReleaseSource};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;
use crate::version::EtcdVersion;

/// Where etcd's own releases are.
const OFFICIAL: &str = "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-{arch}.tar.gz";

/// Merges the files' settings; the layer that wins comes first. The source is taken from the first
/// that names one, checksums are taken one by one.
pub(super) fn release(
    layers: &[Layer<'_, schema::Release>],
    image: Image,
    report: &mut Report<'_>,
) -> Release {
    let mut source = None;
    let mut proxy = None;
    let mut sha256 = BTreeMap::new();
    for layer in layers {
        source = source.or(read_source(layer, report));
        proxy = proxy.or(read_proxy(layer, report));
        for (key, digest) in layer.raw.sha256.iter().flatten() {
            let archive = read_archive(key, &layer.at(key), report);
            let digest = read_digest(digest, &layer.at(digest), report);
            if let (Some(archive), Some(digest)) = (archive, digest) {
                sha256.entry(archive).or_insert(digest);
            }
        }
    }
    let source = source.unwrap_or_else(|| ReleaseSource::Url(OFFICIAL.to_owned()));
    Release { source, proxy, sha256, image }
}

/// The proxy of the hosts' downloads. It becomes an argument on the hosts, so it can't hold a password.
fn read_proxy(layer: &Layer<'_, schema::Release>, report: &mut Report<'_>) -> Option<String> {
    let proxy = layer.raw.proxy.as_ref()?;
    let at = layer.at(proxy);
    check_url("proxy", proxy, &at, report);
    if let Some(path) = &layer.raw.path {
        let message = "`proxy` has no effect: with `path` no host downloads";
        report.add(
            Finding::error("release", &at, message)
                .related(&layer.at(path), "the archive is pushed from here")
                .hint("remove it; this machine's own downloads use its environment (https_proxy)"),
        );
    }
    Some(proxy.value().clone())
}

fn read_source(
    layer: &Layer<'_, schema::Release>,
    report: &mut Report<'_>,
) -> Option<ReleaseSource> {
    let schema::Release { url, path, proxy: _, sha256: _, image: _, image_digest: _ } = layer.raw;
    if let (Some(url), Some(path)) = (url, path) {
        let message = "`url` and `path` are both set, and only one can be used";
        report.add(
            Finding::error("release", &layer.at(path), message)
                .related(&layer.at(url), "the other is set here")
                .hint("keep `url` for hosts that can download, `path` for hosts that cannot"),
        );
    }
    if let Some(url) = url {
        let at = layer.at(url);
        check_url("url", url, &at, report);
        check_template("url", url, &at, report);
        return Some(ReleaseSource::Url(url.value().clone()));
    }
    let path = path.as_ref()?;
    let at = layer.at(path);
    if path.contains("://") {
        let message = "`path` is a file on this machine, not a URL";
        report.add(Finding::error("release", &at, message).hint("write it as `url`"));
    }
    check_template("path", path, &at, report);
    Some(ReleaseSource::Path(path.value().clone()))
}

fn check_url(key: &str, url: &str, at: &At, report: &mut Report<'_>) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        let message = format!("`{key}` does not begin with https:// or http://");
        let hint = match key {
            "proxy" => "write it as \"http://proxy.example.net:3128\"",
            _ => "a file on this machine is written as `path`",
        };
        report.add(Finding::error("release", at, message).hint(hint));
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((login, _)) = authority.rsplit_once('@') {
        report.hide_part(at, login);
        let message = format!("`{key}` holds a user or a password in plain");
        let hint = match key {
            "proxy" => {
                "leave it out; behind a proxy that asks for one, push the archive: use `path`, or leave \
                 `proxy` out so that this machine downloads it"
            }
            _ => "leave it out; a mirror that asks for one can be used through `path`",
        };
        report.add(Finding::error("plain-secret", at, message).hint(hint));
    } else if authority.is_empty() {
        report.add(Finding::error("release", at, format!("`{key}` names no server")));
    }
    if url.chars().any(|c| c.is_whitespace() || !c.is_ascii()) {
        let message = format!("`{key}` has blanks or characters in it that a URL cannot have");
        report.add(Finding::error("release", at, message).hint("write them as %XX"));
    }
}

/// The placeholders of a source.
fn check_template(key: &str, text: &str, at: &At, report: &mut Report<'_>) {
    if text.chars().any(char::is_control) {
        let message = format!("`{key}` has a control character in it");
        report.add(Finding::error("release", at, message).hint("write it on one line"));
        return;
    }
    if !text.contains("{version}") {
        let message = format!("`{key}` does not contain {{version}}");
        let hint = "every version has an archive of its own: write {version} where the number stands, such as \"etcd-v{version}-linux-{arch}.tar.gz\"";
        report.add(Finding::error("release", at, message).hint(hint));
    }
    let rest = text.replace("{version}", "").replace("{arch}", "");
    if rest.contains(['{', '}']) {
        let message = format!("`{key}` has a placeholder that is not known");
        report.add(
            Finding::error("release", at, message).hint("only {version} and {arch} are filled in"),
        );
    }
}

/// The key of a checksum, such as `3.6.16-amd64`.
fn read_archive(
    key: &Loc<String>,
    at: &At,
    report: &mut Report<'_>,
) -> Option<(EtcdVersion, Arch)> {
    let shown = escape(&key.chars().take(80).collect::<String>());
    let finding =
        Finding::error("release", at, format!("\"{shown}\" is not a version and an architecture"));
    let finding = finding.hint("write: \"3.6.16-amd64\" = \"…\"");
    let Some((version, arch)) = key.split_once('-') else {
        report.add(finding);
        return None;
    };
    let names = Arch::ALL.map(Arch::as_str);
    let known = Arch::ALL.into_iter().find(|known| known.as_str() == arch);
    let version = version.parse::<EtcdVersion>();
    if let (Ok(version), Some(arch)) = (&version, known) {
        return Some((*version, arch));
    }
    let meant = match arch {
        _ if version.is_err() => None,
        "x86_64" | "x86-64" | "x64" => Some("amd64"),
        "aarch64" | "armv8" => Some("arm64"),
        _ => closest(arch, names),
    };
    let hint = match (meant, &version) {
        (Some(meant), Ok(version)) => Some(format!("did you mean \"{version}-{meant}\"?")),
        (None, Ok(_)) => Some(format!("etcd is released for {}", names.join(", "))),
        (_, Err(why)) => Some(format!("the version {why}")),
    };
    report.add(finding.maybe_hint(hint));
    None
}

fn read_digest(text: &str, at: &At, report: &mut Report<'_>) -> Option<String> {
    let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if hex {
        return Some(text.to_ascii_lowercase());
    }
    let message = "this is not a sha256 in hexadecimal";
    let length = text.chars().count();
    let finding = Finding::error("release", at, message)
        .hint("write 64 of 0-9 and a-f, or let `quorate release pin VERSION` write it");
    report.add(if length == 64 { finding } else { finding.label(format!("{length} characters")) });
    None
}

/// The code of a version that no checksum is pinned for.
pub(crate) const UNPINNED: &str = "unpinned-release";

/// Reports versions that no checksum is pinned for. Which architecture a host has is only known
/// once it has been seen; that there is none at all is known now.
pub(super) fn every_version_is_pinned(
    layers: &[Layer<'_, schema::Release>],
    clusters: &[Lowered],
    report: &mut Report<'_>,
) {
    // Also what is pinned with a mistake: that has been reported.
    let pins = layers.iter().flat_map(|layer| layer.raw.sha256.iter().flatten());
    let versions = pins.filter_map(|(key, _)| key.split('-').next()?.parse().ok());
    let pinned: BTreeSet<EtcdVersion> = versions.collect();
    for (version, at) in clusters.iter().filter_map(|cluster| cluster.version.as_ref()) {
        if !pinned.contains(version) {
            let message = format!("no checksum is pinned for the release of etcd {version}");
            let hint = format!(
                "run `quorate release pin {version}`, which writes it under [release.sha256]"
            );
            report.add(Finding::error(UNPINNED, at, message).hint(hint).about_absence());
        }
    }
}
