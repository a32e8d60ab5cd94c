//! Discovery services at which a real member registers.

use std::fs;

use quorate_lab::discovery::{Access, Discovery, PASSWORD, Protocol, USER};
use quorate_lab::releases::{self, Version};
use quorate_lab::{Host, Lab};

use crate::{lab, text, traces};

/// Starts a member with these discovery flags on a host, and waits until it is healthy.
fn form(lab: &Lab, host: &Host, version: Version, discovery: &str) {
    let release = releases::ensure(version, |_| {}).unwrap();
    let archive = release.archive.file_name().unwrap().to_str().unwrap();
    let (mirror, address) = (lab.mirror_url(), host.address());
    let script = format!(
        "curl -sf {mirror}/v{version}/{archive} | tar -xz -C /opt && \
         systemd-run --quiet --unit=member /opt/etcd-v{version}-*/etcd --data-dir=/var/lib/member \
         --name={host_name} --listen-peer-urls=http://{address}:2380 \
         --initial-advertise-peer-urls=http://{address}:2380 {discovery} && \
         timeout 20 sh -c 'until curl -sf http://127.0.0.1:2379/health; do sleep 0.2; done' || \
         {{ journalctl -u member -o cat --no-pager | tail -5 >&2; exit 1; }}",
        host_name = host.name(),
    );
    assert!(text(&host.ssh(&script).unwrap()).contains("true"));
}

/// What is recorded for a token.
fn registry(discovery: &Discovery, token: &str) -> String {
    let prefix = format!("/_etcd/registry/{token}");
    text(&discovery.etcdctl().args(["get", "--prefix", &prefix]).output().unwrap())
}

#[test]
fn a_member_forms_a_cluster_at_a_v3_service_that_asks_for_a_password() {
    let lab = lab("t-disc3", 1);
    let host = lab.host(1).unwrap();
    let version = Version::new(3, 6, 16);
    let protocol = Protocol::V3 { version, access: Access::User };
    let discovery = lab.discovery(protocol, |_| {}).unwrap();
    let put = |key: &str| discovery.etcdctl().args(["put", key, "1"]).output().unwrap();
    text(&put("/_etcd/registry/token/_config/size"));
    assert!(!put("elsewhere").status.success(), "the user may do no more than discovery needs");

    discovery.stop().unwrap();
    let health = discovery.etcdctl().args(["endpoint", "health"]).output().unwrap();
    assert!(!health.status.success(), "nobody is there");
    discovery.start().unwrap();
    assert!(registry(&discovery, "token").contains("_config/size"), "it remembers");

    let ca = fs::read_to_string(discovery.ca().unwrap()).unwrap();
    text(&host.ssh(&format!("cat > /etc/discovery-ca.pem <<'END'\n{ca}END")).unwrap());
    let flags = format!(
        "--discovery-token=token --discovery-endpoints={} --discovery-cacert=/etc/discovery-ca.pem \
         --discovery-user={USER} --discovery-password={PASSWORD}",
        discovery.endpoint()
    );
    form(&lab, &host, version, &flags);
    assert!(registry(&discovery, "token").contains("/members/"));

    let fresh = lab.discovery(Protocol::V3 { version, access: Access::Open }, |_| {}).unwrap();
    assert_eq!(registry(&fresh, "token"), "", "a new service knows nothing");
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-disc3"), [] as [&str; 0], "{:#?}", traces::of("t-disc3"));
}

#[test]
fn a_member_forms_a_cluster_with_a_token_that_a_v2_service_made() {
    let lab = lab("t-disc2", 1);
    let host = lab.host(1).unwrap();
    let discovery = lab.discovery(Protocol::V2, |_| {}).unwrap();
    let new = format!("curl -sf '{}/new?size=1'", discovery.endpoint());
    let url = text(&host.ssh(&new).unwrap());
    assert!(url.starts_with(&format!("{}/", discovery.endpoint())), "{url}");
    form(&lab, &host, Version::new(3, 5, 35), &format!("--discovery={url}"));
    assert!(text(&host.ssh(&format!("curl -sf {url}")).unwrap()).contains("etcd-1="));
    discovery.stop().unwrap();
    assert!(!host.ssh(&new).unwrap().status.success());
    discovery.start().unwrap();
    assert!(text(&host.ssh(&format!("curl -sf {url}")).unwrap()).contains("etcd-1="));
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-disc2"), [] as [&str; 0], "{:#?}", traces::of("t-disc2"));
}
