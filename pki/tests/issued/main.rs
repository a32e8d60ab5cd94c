//! Certificates and sealed keys, looked at with somebody else's eyes.

#[cfg(test)]
mod drifted;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod linted;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod verified;
