//! How API servers get their configuration, and the settings that only one way has.

use crate::escape::escape;
use crate::kubernetes::{KubernetesMinor, KubernetesMode};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;

const ALL: [&str; 3] = ["static-pod", "kubeadm", "render-only"];

/// Where kubeadm, and most who follow it, have the manifest.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

/// The mode with its settings, or `None` where there was a mistake.
pub(super) fn read(raw: &schema::Kubernetes, report: &mut Report<'_>) -> Option<KubernetesMode> {
    let manifest =
        raw.manifest.as_ref().map_or(Some(MANIFEST.to_owned()), |it| manifest(it, report));
    let version = raw.version.as_ref().map_or(Some(None), |it| version(it, report).map(Some));
    let written = raw.mode.as_ref()?;
    let word = word(written, report)?;
    misplaced(word, raw, report);
    match word {
        "static-pod" => Some(KubernetesMode::StaticPod { manifest: manifest? }),
        "kubeadm" => Some(KubernetesMode::Kubeadm { manifest: manifest? }),
        _ => Some(KubernetesMode::RenderOnly { version: version? }),
    }
}

/// Whether the mode is one that changes hosts, also where one of its settings is wrong.
pub(super) fn changes_hosts(raw: &schema::Kubernetes) -> bool {
    let mode = raw.mode.as_ref().map(|mode| mode.value().as_str());
    matches!(mode, Some("static-pod" | "kubeadm"))
}

fn word(written: &Loc<String>, report: &mut Report<'_>) -> Option<&'static str> {
    if let Some(known) = ALL.into_iter().find(|known| known == written.value()) {
        return Some(known);
    }
    let at = At::new(0, written.span());
    let shown = escape(&written.chars().take(80).collect::<String>());
    let not_yet = format!("quorate can't configure API servers in the mode \"{shown}\" yet");
    let (message, hint) = match written.value().as_str() {
        "systemd" => (
            not_yet,
            "write: mode = \"render-only\", and give the unit what `quorate kubernetes render` prints"
                .to_owned(),
        ),
        _ => (format!("\"{shown}\" is not a way to configure API servers"), meant(written)),
    };
    report.add(Finding::error("kubernetes-mode", &at, message).hint(hint));
    None
}

fn meant(written: &str) -> String {
    let meant = match written {
        "pod" | "static-pods" | "staticpod" | "manifest" | "kubelet" => Some("static-pod"),
        "render" | "none" | "k3s" | "rke2" | "k0s" => Some("render-only"),
        other => closest(other, ALL),
    };
    match meant {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write one of \"{}\"", ALL.join("\", \"")),
    }
}

/// Settings of another mode than this one.
fn misplaced(mode: &str, raw: &schema::Kubernetes, report: &mut Report<'_>) {
    let settings = [
        (
            "manifest",
            raw.manifest.as_ref(),
            &["static-pod", "kubeadm"][..],
            "leave it out, or write: mode = \"static-pod\"",
        ),
        (
            "version",
            raw.version.as_ref(),
            &["render-only"],
            "leave it out: quorate asks the hosts which version they run",
        ),
    ];
    for (key, written, of, hint) in settings {
        let Some(written) = written.filter(|_| !of.contains(&mode)) else { continue };
        let message = format!("`{key}` is not for the mode \"{mode}\"");
        let at = At::new(0, written.span());
        report.add(Finding::error("kubernetes-mode", &at, message).hint(hint));
    }
}

fn manifest(written: &Loc<String>, report: &mut Report<'_>) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let mut parts = written.split('/').skip(1);
    let fits = written.starts_with('/')
        && written.chars().all(plain)
        && parts.all(|part| !matches!(part, "" | "." | ".."));
    if fits {
        return Some(written.value().clone());
    }
    refuse(written, "the absolute path of a manifest", MANIFEST, report);
    None
}

fn version(written: &Loc<String>, report: &mut Report<'_>) -> Option<KubernetesMinor> {
    if let Ok(minor) = written.parse() {
        return Some(minor);
    }
    let better = KubernetesMinor::of_release(written)
        .or_else(|| written.strip_prefix('v').and_then(|rest| rest.parse().ok()));
    let better = better.map_or("1.34".to_owned(), |minor| minor.to_string());
    refuse(written, "a minor version of Kubernetes", &better, report);
    None
}

fn refuse(written: &Loc<String>, what: &str, better: &str, report: &mut Report<'_>) {
    let shown = escape(&written.chars().take(80).collect::<String>());
    let message = format!("\"{shown}\" is not {what}");
    let finding = Finding::error("kubernetes-mode", &At::new(0, written.span()), message);
    report.add(finding.hint(format!("write: \"{better}\"")));
}
