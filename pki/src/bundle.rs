//! Trust bundles: the CA certificates that a member trusts, one after the other.

use crate::certificate::{CertError, Certificate};

/// Writes a bundle: the certificates' PEM blocks and nothing else, because etcd refuses to start
/// on a bundle that holds any other block.
pub fn write<'a>(authorities: impl IntoIterator<Item = &'a Certificate>) -> String {
    authorities.into_iter().map(Certificate::pem).collect()
}

/// Reads every certificate of a bundle. A block of another kind, a private key above all, is an error.
pub fn read(text: &str) -> Result<Vec<Certificate>, CertError> {
    Certificate::all_from_pem(text)
}

#[cfg(test)]
mod tests {
    use inventories::{ClusterName, SiteName};
    use time::macros::datetime;

    use super::*;
    use crate::authority::CertificateAuthority;
    use crate::profile::CaKind;

    fn authority() -> CertificateAuthority {
        let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
        let now = datetime!(2026-11-23 12:00:00 UTC);
        CertificateAuthority::generate(CaKind::Peer, &site, &cluster, now).unwrap()
    }

    #[test]
    fn a_bundle_holds_the_old_and_the_new_ca_in_order() {
        let (old, new) = (authority(), authority());
        let text = write([old.certificate(), new.certificate()]);
        assert_eq!(read(&text), Ok(vec![old.certificate().clone(), new.certificate().clone()]));
    }

    #[test]
    fn what_stands_around_the_blocks_is_not_written_again() {
        let ca = authority();
        let text = format!("# the CA\n{}\ntrailing words\n", ca.certificate().pem());
        assert_eq!(write(&read(&text).unwrap()), ca.certificate().pem());
    }

    #[test]
    fn a_private_key_in_a_bundle_is_an_error() {
        let ca = authority();
        let key = std::str::from_utf8(ca.key().expose()).unwrap();
        let expected = CertError::OtherBlock { label: "PRIVATE KEY".to_owned() };
        assert_eq!(read(&format!("{}{key}", ca.certificate().pem())), Err(expected));
        assert_eq!(read(""), Err(CertError::NotPem));
    }
}
