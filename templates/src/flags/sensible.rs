//! Values that etcd takes and that a Kubernetes cluster does not live with.

use inventories::inventory::FlagValue;

use super::problem::{Code, Problem};

/// A database of a Kubernetes cluster passes this within hours.
const SMALLEST_QUOTA: i64 = 64 << 20;

/// The API server writes objects of up to a MiB and a half, as etcd's default allows.
const SMALLEST_REQUEST: i64 = 1 << 20;

/// What a value would do to the cluster, where nobody can want that.
pub(super) fn check(name: &str, value: &FlagValue) -> Result<(), Problem> {
    let FlagValue::Int(number) = *value else { return Ok(()) };
    let (does, instead) = match name {
        "quota-backend-bytes" if number < 0 => {
            ("turns the quota off".to_owned(), 8_589_934_592_i64)
        }
        "quota-backend-bytes" if (1..SMALLEST_QUOTA).contains(&number) => {
            let does = format!("is {} MiB: etcd soon refuses every write (NOSPACE)", number >> 20);
            (does, 8_589_934_592)
        }
        "max-request-bytes" if number < SMALLEST_REQUEST => {
            ("refuses objects that Kubernetes writes".to_owned(), 1_572_864)
        }
        _ => return Ok(()),
    };
    let message = format!("`{name} = {number}` {does}");
    Err(Problem::warning(Code::Risky, message).hint(format!("write: {name} = {instead}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_kubernetes_does_not_live_with_is_warned_of() {
        let warns = |name, number| check(name, &FlagValue::Int(number)).is_err();
        for (name, number) in [
            ("quota-backend-bytes", 1000),
            ("quota-backend-bytes", -1),
            ("max-request-bytes", 1000),
        ] {
            assert!(warns(name, number), "{name} {number}");
        }
        // 0 is etcd's own default.
        for (name, number) in [
            ("quota-backend-bytes", 0),
            ("quota-backend-bytes", 8 << 30),
            ("max-request-bytes", 1_572_864),
            ("snapshot-count", 1),
        ] {
            assert!(!warns(name, number), "{name} {number}");
        }
    }
}
