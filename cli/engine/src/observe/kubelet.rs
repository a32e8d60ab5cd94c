//! What runs pods on a host.

use planner::facts::{KubeletFacts, Observed, UnitFacts};
use templates::layout::{KUBELET_CONFIG, KUBELET_DROP_IN};

use super::files::Files;
use super::records::Records;
use remote::clean;

/// Puts together what the host said of its kubelet; absent where it has no unit for one.
pub(super) fn read(
    records: &Records,
    files: &Files,
    unit: Observed<UnitFacts>,
) -> Observed<KubeletFacts> {
    if unit.is_absent() {
        return Observed::Absent;
    }
    let runs = unit.known().is_some_and(|unit| unit.main_pid != 0);
    Observed::Known(KubeletFacts {
        program: said(records, "kubelet-program"),
        manifests: if runs { said(records, "kubelet-folder") } else { Observed::Absent },
        drop_in: files.facts(KUBELET_DROP_IN),
        config: files.facts(KUBELET_CONFIG),
        unit,
    })
}

/// A path, or nothing where the host found none.
fn said(records: &Records, key: &str) -> Observed<String> {
    match records.text(key).map(str::trim) {
        Some("") => Observed::Absent,
        Some(path) if path.starts_with('/') => Observed::Known(clean(path.as_bytes())),
        Some(odd) => Observed::Unknown(format!("{key} is {}", clean(odd.as_bytes()))),
        None => Observed::Unknown("the host did not say".to_owned()),
    }
}
