//! Which certificate a server shows, by its own OpenSSL.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use inventories::{ClusterName, HostName, SiteName};
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use pki::{CaKind, CertificateAuthority, Leaf, LeafRequest};
use time::OffsetDateTime;

use crate::test_server::Sshd;
use crate::{Reach, Shown};

const TIMEOUT: Duration = Duration::from_secs(5);

fn authority() -> CertificateAuthority {
    let (site, cluster) = (SiteName::new("lab").unwrap(), ClusterName::new("main").unwrap());
    CertificateAuthority::generate(CaKind::Peer, &site, &cluster, OffsetDateTime::now_utc())
        .unwrap()
}

fn leaf(authority: &CertificateAuthority, address: &str) -> Leaf {
    let request = LeafRequest::peer(&HostName::new("etcd-1").unwrap(), [address.parse().unwrap()]);
    authority.issue(&request, OffsetDateTime::now_utc()).unwrap()
}

/// A server that wants a certificate of its clients, as etcd does, and so fails each handshake of ours.
fn server(leaf: &Leaf) -> SocketAddr {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&PKey::private_key_from_pem(leaf.key.expose()).unwrap()).unwrap();
    acceptor.set_certificate(&X509::from_pem(leaf.certificate.pem().as_bytes()).unwrap()).unwrap();
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            assert!(acceptor.accept(stream.unwrap()).is_err());
        }
    });
    address
}

#[tokio::test]
async fn a_new_handshake_shows_the_certificate_in_use_and_whether_it_is_to_be_trusted() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let (ours, others) = (authority(), authority());
    let trusted = ours.certificate().pem().into_bytes();
    let ask =
        async |address| connection.handshake(address, trusted.clone(), TIMEOUT).await.unwrap();

    let good = leaf(&ours, "127.0.0.1");
    assert_eq!(ask(server(&good)).await, Shown::Trusted(good.certificate.der().to_vec()));
    for (bad, why) in
        [(leaf(&others, "127.0.0.1"), "issuer"), (leaf(&ours, "127.0.0.2"), "IP address mismatch")]
    {
        let shown = ask(server(&bad)).await;
        assert!(
            matches!(&shown, Shown::Untrusted { why: said } if said.contains(why)),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn a_port_that_shows_nothing_is_told_from_one_that_is_not_reached() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let trusted = authority().certificate().pem().into_bytes();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closing = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let shown = connection.handshake(closing, trusted.clone(), TIMEOUT).await.unwrap();
    assert!(matches!(shown, Shown::Nothing { .. }), "{shown:?}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shown = connection.handshake(closed, trusted, TIMEOUT).await.unwrap();
    assert_eq!(shown, Shown::Unreached(Reach::Refused));
}
