//! Certificates: what they must say, how they are made, read and compared, and how CA keys rest.
//!
//! - [`profile`], [`authority`]: what is asked for, and the CA that issues it.
//! - [`certificate`], [`facts`], [`expiry`], [`drift`], [`lint`]: what a certificate says, how long
//!   it lasts, how it differs from what is wanted, and whether it is sound.
//! - [`secret`], [`seal`], [`store`], [`bundle`]: private keys, their sealing with age, and the
//!   files that are kept beside the inventory.
//!
//! Nothing here reads a file, a clock or the network: texts and `now` come in as arguments. Chance
//! enters in two places only, when a certificate is issued and when a key is sealed.

pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod digest;
pub mod drift;
pub mod expiry;
pub mod facts;
pub mod lint;
pub mod profile;
pub mod seal;
pub mod secret;
pub mod store;

mod pem;
mod san;

pub use authority::{CertificateAuthority, Leaf};
pub use certificate::Certificate;
pub use digest::Sha256Digest;
pub use drift::CertChange;
pub use facts::CertFacts;
pub use profile::{CaKind, CommonName, LeafKind, LeafRequest};
pub use seal::{Identity, Recipient};
pub use secret::{CaKey, KeyPem, Passphrase};
pub use store::{StoredAuthority, StoredKey};
