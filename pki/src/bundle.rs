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
