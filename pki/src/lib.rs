//! Certificates: profiles, issuing, reading, expiry, and the sealed store of CA keys.
