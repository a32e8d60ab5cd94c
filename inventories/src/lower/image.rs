//! The container image of static pods.

use std::collections::{BTreeMap, BTreeSet};

use super::Layer;
use super::cluster::Lowered;
use crate::defaults;
use crate::escape::escape;
use crate::inventory::{Image, Runtime};
use crate::report::{At, Finding, Report};
use crate::schema;
use crate::version::EtcdVersion;

/// Merges the files' settings; the layer that wins comes first. The name is taken from the first that
/// has one, digests are taken one by one.
pub(super) fn image(
    layers: &[Layer<'_, schema::Release>],
    clusters: &[Lowered],
    report: &mut Report<'_>,
) -> Image {
    let mut digests = BTreeMap::new();
    for layer in layers {
        for (key, digest) in layer.raw.image_digest.iter().flatten() {
            let version = read_version(key, &layer.at(key), report);
            let digest = read_digest(digest, &layer.at(digest), report);
            if let (Some(version), Some(digest)) = (version, digest) {
                digests.entry(version).or_insert(digest);
            }
        }
    }
    let written = layers.iter().find_map(|layer| {
        let name = layer.raw.image.as_ref()?;
        Some((name.value().clone(), layer.at(name)))
    });
    let Some((name, at)) = written else {
        return Image { name: defaults::IMAGE.to_owned(), digests };
    };
    if let Some((what, hint)) = mistake(&name) {
        let message = format!("\"{}\" {what}", escape(&name.chars().take(120).collect::<String>()));
        report.add(Finding::error("image", &at, message).hint(hint));
    } else if !name.contains("{version}") {
        let unpinned = pods(clusters).find(|version| !digests.contains_key(version));
        if let Some(version) = unpinned {
            let message =
                format!("`image` is the same for every version, and {version} has no digest");
            report.add(Finding::error("image", &at, message).hint(format!(
                "write {{version}} where the number stands, or pin: [release.image-digest] \
                 \"{version}\" = \"sha256:…\""
            )));
        }
    }
    Image { name, digests }
}

/// The versions that run as pods.
fn pods(clusters: &[Lowered]) -> impl Iterator<Item = EtcdVersion> {
    let pods = clusters.iter().filter(|cluster| cluster.runtime == Some(Runtime::StaticPod));
    let versions: BTreeSet<EtcdVersion> =
        pods.filter_map(|cluster| Some(cluster.version.as_ref()?.0)).collect();
    versions.into_iter()
}

/// What is wrong with an image's name, and what to do: it is `[SERVER[:PORT]/]PATH:TAG`.
fn mistake(name: &str) -> Option<(&'static str, &'static str)> {
    if name.contains('@') {
        return Some((
            "has a digest in it",
            "a digest is of one version: write it under [release.image-digest]",
        ));
    }
    if name.contains("://") {
        return Some((
            "is a URL",
            "write server, path and tag alone, such as quay.io/coreos/etcd:v{version}",
        ));
    }
    let filled = name.replace("{version}", "3.6.16");
    let (path, last) = filled.rsplit_once('/').unwrap_or(("", &filled));
    let Some((last, tag)) = last.split_once(':') else {
        return Some(("has no tag", "write: image = \"…:v{version}\""));
    };
    let is_tag = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let part = |part: &str| part.starts_with(char::is_alphanumeric) && part.chars().all(is_path);
    // The server may have a port.
    let (server, port) = path.split('/').next().and_then(|server| server.split_once(':')).unzip();
    let port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let mut parts = path.split('/').map(|part| match (part.split_once(':'), server) {
        (Some((name, _)), Some(server)) if name == server => name,
        _ => part,
    });
    let sound = (path.is_empty() || parts.all(part))
        && part(last)
        && port
        && !tag.is_empty()
        && tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag.chars().all(is_tag);
    (!sound).then_some((
        "is not the name of an image",
        "write: server/path:tag in lower case, such as quay.io/coreos/etcd:v{version}",
    ))
}

fn read_version(text: &str, at: &At, report: &mut Report<'_>) -> Option<EtcdVersion> {
    match text.parse() {
        Ok(version) => Some(version),
        Err(why) => {
            let shown = escape(&text.chars().take(80).collect::<String>());
            report.add(Finding::error("image", at, format!("\"{shown}\" {why}")));
            None
        }
    }
}

fn read_digest(text: &str, at: &At, report: &mut Report<'_>) -> Option<String> {
    let hex = |digest: &str| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    if text.strip_prefix("sha256:").is_some_and(hex) {
        return Some(text.to_ascii_lowercase());
    }
    let message = "this is not the digest of an image";
    let hint = "write: sha256: and 64 of 0-9 and a-f, as the registry tells it";
    report.add(Finding::error("image", at, message).hint(hint));
    None
}

#[cfg(test)]
mod tests {
    use super::mistake;

    #[test]
    fn names_of_images_are_told_from_what_is_none() {
        for sound in [
            "quay.io/coreos/etcd:v{version}",
            "registry.example.net:5000/mirror/etcd:{version}-0",
            "etcd:{version}",
            "localhost:5000/etcd:3.6.16",
        ] {
            assert_eq!(mistake(sound), None, "{sound}");
        }
        for wrong in [
            "",
            "etcd",
            "etcd:",
            "Quay.io/Coreos/Etcd:v1",
            "quay.io/coreos/etcd@sha256:00",
            "https://quay.io/coreos/etcd:v1",
            "quay.io:port/etcd:v1",
            "quay.io//etcd:v1",
            "quay.io/etcd:v 1",
            "quay.io/etcd:v1\n",
            "quay.io/etcd:{v}",
        ] {
            assert!(mistake(wrong).is_some(), "{wrong}");
        }
    }
}
