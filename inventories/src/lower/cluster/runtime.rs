//! What keeps members running.

use crate::escape::escape;
use crate::inventory::Runtime;
use crate::report::{At, Finding, Report};
use crate::suggest::closest;
use crate::version::EtcdVersion;

const ALL: [Runtime; 2] = [Runtime::Systemd, Runtime::StaticPod];

/// The runtime of this name, or `None` where that was a mistake.
pub(super) fn read(text: &str, at: &At, report: &mut Report<'_>) -> Option<Runtime> {
    if let Some(known) = ALL.into_iter().find(|known| known.as_str() == text) {
        return Some(known);
    }
    let shown = escape(&text.chars().take(80).collect::<String>());
    let meant = match text {
        "pod" | "static-pods" | "staticpod" | "kubelet" => Some("static-pod"),
        _ => closest(text, ALL.map(Runtime::as_str)),
    };
    let hint = match meant {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "write: runtime = \"systemd\" or \"static-pod\", or leave it out".to_owned(),
    };
    let message = format!("\"{shown}\" is not a runtime");
    report.add(Finding::error("runtime", at, message).hint(hint));
    None
}

/// A pod's probes need an etcd that has them.
pub(super) fn check_version(
    runtime: Option<Runtime>,
    version: Option<&(EtcdVersion, At)>,
    report: &mut Report<'_>,
) {
    let (Some(Runtime::StaticPod), Some((version, at))) = (runtime, version) else { return };
    if version.tells_liveness() {
        return;
    }
    let message =
        format!("etcd {version} can't be run as a static pod: it has no /livez and no /readyz");
    let hint = "3.4.29, 3.5.11, every 3.6 and every 3.7 have them: by /health, which is all there was \
                before, a kubelet would restart a member again and again over an alarm";
    report.add(Finding::error("runtime", at, message).hint(hint));
}
