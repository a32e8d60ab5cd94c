//! kubeadm's record of a cluster, which is edited as an API server's manifest is: in memory, at our places alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pki::Sha256Digest;
use planner::Step;
use serde_json::Value;
use templates::apiserver::manifest::ClusterConfiguration;
use zeroize::Zeroizing;

use crate::hosts::{Done, StepErrorKind};
use crate::lock::LockedConnection;
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
    guard,
};
use remote::Payload;

/// What opens a control plane that kubeadm set up.
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// Edits the record, unless it is no longer the one of the plan.
pub(crate) async fn edit(
    step: &Step,
    planned: &str,
    wanted: &BTreeMap<String, Option<String>>,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let args = Arguments::new().with("admin", ADMIN);
    let read = call::call(script::READ_KUBEADM_CONFIG, args, Payload::new());
    let said = Zeroizing::new(answer::read(&connection.run(read).await?)?.body);
    let json = Zeroizing::new(STANDARD.decode(said.trim()).map_err(Failure::failed)?);
    let Some(edited) = edited(&json, planned, wanted)? else { return Ok(Done::Already) };
    let args = guard::arguments(step, None)?.with("admin", ADMIN);
    let payload = Payload::new().with_secret(edited);
    let write = call::call(script::WRITE_KUBEADM_CONFIG, args, payload);
    Ok(answer::read(&connection.run(write).await?)?.done)
}

/// The ConfigMap with what is wanted in it; `None` if it says that already.
fn edited(
    json: &[u8],
    planned: &str,
    wanted: &BTreeMap<String, Option<String>>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let mut map: Value = serde_json::from_slice(json).map_err(Failure::failed)?;
    let text = map.get_mut("data").and_then(|data| data.get_mut("ClusterConfiguration"));
    let Some(Value::String(text)) = text else {
        return Err(Failure::failed("the ConfigMap kubeadm-config has no ClusterConfiguration"));
    };
    let edited = ClusterConfiguration::read(text).and_then(|read| read.edited(wanted));
    let edited =
        edited.map_err(|why| Failure::failed(format!("ConfigMap kubeadm-config: {why}")))?;
    if edited == *text {
        return Ok(None);
    }
    if Sha256Digest::hash(text.as_bytes()).to_string() != planned {
        let why = "the ConfigMap kubeadm-config has changed since the plan was made".to_owned();
        return Err(Failure::new(StepErrorKind::Guard(why)).hinted("plan again"));
    }
    *text = edited;
    Ok(Some(Zeroizing::new(serde_json::to_vec(&map).map_err(Failure::failed)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\netcd:\n  external:\n    \
        caFile: /ca\n    certFile: /cert\n    endpoints:\n    - https://10.0.0.1:2379\n    keyFile: /key\n";

    fn map() -> Value {
        serde_json::json!({
            "metadata": { "resourceVersion": "7", "labels": { "a": "b" } },
            "data": { "ClusterConfiguration": CONFIG, "Other": "kept" },
        })
    }

    #[test]
    fn the_rest_of_the_map_and_its_version_stay() {
        let servers = Some("https://10.0.0.2:2379".to_owned());
        let wanted = BTreeMap::from([("etcd-servers".to_owned(), servers)]);
        let planned = Sha256Digest::hash(CONFIG.as_bytes()).to_string();
        let json = serde_json::to_vec(&map()).unwrap();
        let after = edited(&json, &planned, &wanted).unwrap().unwrap();
        let after: Value = serde_json::from_slice(&after).unwrap();
        let mut expected = map();
        expected["data"]["ClusterConfiguration"] = CONFIG.replace("10.0.0.1", "10.0.0.2").into();
        assert_eq!(after, expected);
        let again = serde_json::to_vec(&after).unwrap();
        assert!(edited(&again, &planned, &wanted).unwrap().is_none());
        assert!(edited(&json, "another", &wanted).is_err(), "it is not the plan's");
    }
}
