//! kubeadm's record of a cluster. It may hold secrets: only what it says of etcd leaves this module.

use planner::facts::{KubeadmConfig, KubeadmFacts, Observed};
use remote::clean;
use templates::apiserver::manifest::ClusterConfiguration;
use zeroize::Zeroizing;

use super::decoded;
use crate::observe::records::Records;

pub(super) fn read(records: &Records) -> KubeadmFacts {
    let lacks = records.text("kubeadm-lacks").unwrap_or_default();
    let lacks = lacks.split_whitespace().map(|word| clean(word.as_bytes()));
    KubeadmFacts { lacks: lacks.collect(), config: config(records) }
}

fn config(records: &Records) -> Observed<KubeadmConfig> {
    let unknown = |why: &str| Observed::Unknown(why.to_owned());
    let Some(said) = decoded(records, "kubeadm") else { return unknown("the host did not say") };
    let said = Zeroizing::new(said);
    if records.text("kubeadm-status") != Some("0") {
        let said = String::from_utf8_lossy(&said);
        return match said.contains("(NotFound)") && said.contains("\"kubeadm-config\"") {
            true => Observed::Absent,
            false => Observed::Unknown(clean(said.lines().last().unwrap_or_default().as_bytes())),
        };
    }
    let said = serde_json::from_slice::<serde_json::Value>(&said);
    let Ok(said) = said else { return unknown("kubectl's answer is not JSON") };
    let text = said.get("data").and_then(|data| data.get("ClusterConfiguration")?.as_str());
    let Some(text) = text else { return unknown("it has no ClusterConfiguration") };
    let flags = ClusterConfiguration::read(text).and_then(|read| read.flags());
    let flags = flags.map_err(|why| clean(why.to_string().as_bytes()));
    Observed::Known(KubeadmConfig {
        sha256: pki::Sha256Digest::hash(text.as_bytes()).to_string(),
        flags: flags.map(|flags| {
            let cleaned = |text: String| clean(text.as_bytes());
            flags.into_iter().map(|(name, value)| (cleaned(name), cleaned(value))).collect()
        }),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn said(status: &str, text: &str) -> KubeadmFacts {
        let text = STANDARD.encode(text);
        let all = [("kubeadm-lacks", ""), ("kubeadm-status", status), ("kubeadm", text.as_str())];
        let text: String =
            all.iter().map(|(key, body)| format!("{key} {}\n{body}\n", body.len())).collect();
        read(&Records::parse(text.as_bytes()).unwrap())
    }

    const CONFIG: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n  \
        - name: token-auth\n    value: hunter2\netcd:\n  external:\n    caFile: /ca\n    certFile: /cert\n    \
        endpoints:\n    - https://10.0.0.1:2379\n    keyFile: /key\n";

    #[test]
    fn of_kubeadm_s_record_only_what_it_says_of_etcd_is_a_fact() {
        let json = serde_json::json!({ "data": { "ClusterConfiguration": CONFIG } });
        let seen = said("0", &json.to_string());
        let flags = seen.config.known().unwrap().flags.clone().unwrap();
        assert_eq!(flags["etcd-servers"], "https://10.0.0.1:2379");
        assert!(!format!("{seen:?}").contains("hunter2"));
    }

    #[test]
    fn a_record_is_absent_only_where_the_api_server_says_so() {
        let gone = "Error from server (NotFound): configmaps \"kubeadm-config\" not found";
        assert!(said("1", gone).config.is_absent());
        for (status, odd) in [
            ("1", "The connection to the server 10.0.0.1:6443 was refused"),
            ("1", "Error from server (NotFound): namespaces \"kube-system\" not found"),
            ("0", "{}"),
            ("0", "Warning: odd"),
            ("", gone.get(..0).unwrap()),
        ] {
            assert!(matches!(said(status, odd).config, Observed::Unknown(_)), "{odd}");
        }
        let silent = Records::parse(b"").unwrap();
        assert!(matches!(read(&silent).config, Observed::Unknown(_)));
    }

    #[test]
    fn what_the_host_lacks_is_named() {
        let text = "kubectl /etc/kubernetes/admin.conf";
        let text = format!("kubeadm-lacks {}\n{text}\n", text.len());
        let seen = read(&Records::parse(text.as_bytes()).unwrap());
        assert_eq!(seen.lacks.len(), 2);
    }
}
