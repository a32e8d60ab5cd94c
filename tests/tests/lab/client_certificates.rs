//! What an API server's certificate opens, and what it does not.

use quorate_lab::Host;
use quorate_lab::site::Runtime;

use crate::harness::{Stage, on, options};

scenarios! {
    an_api_server_s_certificate_opens_the_client_port_and_not_the_peer_port,
}

pub(crate) fn an_api_server_s_certificate_opens_the_client_port_and_not_the_peer_port(
    runtime: Runtime,
) {
    let stage = Stage::formed("c-api", 3, &options(runtime));
    let issued = stage.run(&["client-cert", "--cn", "kube-apiserver", "--out", "api"]).ends(0);
    let issued = issued.says("--etcd-servers=").says("--etcd-cafile=");
    let url = |host: &Host| format!("https://{}:2379", host.address());
    stage.hosts().iter().map(url).fold(issued, |run, url| run.says(&url));

    // Tried from a member's own address, which the peer port would accept.
    let member = stage.host(1);
    on(&member, "mkdir -p /root/api");
    for name in ["ca.crt", "kube-apiserver.crt", "kube-apiserver.key"] {
        let file = std::fs::File::open(stage.folder().join("api").join(name)).unwrap();
        let mut command = member.ssh_command(quorate_lab::ssh::User::Root).unwrap();
        let copied = command.arg("--").arg(format!("cat > /root/api/{name}")).stdin(file).status();
        assert!(copied.unwrap().success());
    }
    let to = stage.host(2).address();
    let api = "--cert /root/api/kube-apiserver.crt --key /root/api/kube-apiserver.key";
    let peer =
        "--cert /etc/etcd/main/pki/current/peer.crt --key /etc/etcd/main/pki/current/peer.key";
    let own = "/etc/etcd/main/pki/current";

    let health =
        format!("curl -sS --http1.1 --cacert /root/api/ca.crt {api} https://{to}:2379/health");
    assert!(on(&member, &health).contains("true"));

    // In TLS 1.3 a client may learn of its refusal only by a closed connection.
    let members = |identity: &str| {
        let url = format!("https://{to}:2380/members");
        format!("curl -sS --http1.1 --tls-max 1.2 --cacert {own}/peer-ca.crt {identity} {url}")
    };
    assert!(on(&member, &members(peer)).contains("etcd-2"), "the peer port answers peers");
    for identity in [api, ""] {
        let refused = member.ssh(&members(identity)).unwrap();
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
        assert!(words.contains("alert"), "{words}");
    }
    let health =
        format!("curl -sS --http1.1 --cacert /root/api/ca.crt {peer} https://{to}:2379/health");
    assert!(!member.ssh(&health).unwrap().status.success(), "a peer is no client");
}
