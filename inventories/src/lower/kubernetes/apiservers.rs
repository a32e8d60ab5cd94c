//! The hosts of a Kubernetes cluster's API servers.

use super::mode;
use crate::escape::escape;
use crate::lower::host;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

/// The API servers that are hosts of the inventory, each once, in the file's order, and where each is named.
pub(super) fn read(
    kubernetes: &Loc<String>,
    raw: &schema::Kubernetes,
    hosts: &host::Known<'_>,
    report: &mut Report<'_>,
) -> Vec<(HostName, At)> {
    let list = raw.apiservers.as_ref().map(|list| list.as_slice()).unwrap_or_default();
    let twice = ("duplicate-apiserver", "a host runs one API server: keep one of the two");
    let (apiservers, named) = host::each_once(list, hosts, twice, report);
    if named == 0 {
        none(kubernetes, raw, report);
    }
    apiservers
}

/// Rendering alone needs no host.
fn none(kubernetes: &Loc<String>, raw: &schema::Kubernetes, report: &mut Report<'_>) {
    if !mode::changes_hosts(raw) || report.has_hole(&["kubernetes", kubernetes, "apiservers"]) {
        return;
    }
    let at = raw.apiservers.as_ref().map_or(kubernetes.span(), Loc::span);
    let message = format!("the Kubernetes cluster \"{}\" has no API servers", escape(kubernetes));
    report.add(
        Finding::error("missing-key", &At::new(0, at), message)
            .hint("write: apiservers = [\"cp-1\", \"cp-2\"], hosts of [hosts]; or mode = \"render-only\"")
            .about_absence(),
    );
}
