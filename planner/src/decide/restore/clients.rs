//! Which clients must be stopped before a cluster is restored: they remember data that the restored cluster lacks.

use super::Subject;
use crate::report::{Finding, FindingCode};

/// What the operator must do first, unless a flag says that it is done.
pub(super) fn not_stopped(subject: &Subject<'_>) -> Option<Finding> {
    let cluster = &subject.cluster.name;
    if subject.request.clients_stopped.contains(cluster) || subject.stand.has_started() {
        return None;
    }
    Some(Finding {
        code: FindingCode::ClientsNotStopped,
        host: None,
        cluster: Some(cluster.clone()),
        message:
            "clients that keep running would act on data that no longer exists after the restore"
                .to_owned(),
        hint: Some(format!(
            "stop every client of cluster {cluster}: API servers, controller managers, schedulers, and \
             other writers such as Calico, Cilium or Patroni\n\
             on each control plane host: mkdir -p /root/stopped; mv /etc/kubernetes/manifests/kube-*.yaml \
             /root/stopped/\n\
             then add: --clients-stopped {cluster}"
        )),
    })
}
