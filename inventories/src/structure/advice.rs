//! What to write instead, for mistakes in the shape of a file that deserve more than a guess.

use toml::de::DeValue;

/// A missing key: what is wrong, and what to write.
pub(super) fn missing(path: &[String], name: &str) -> (String, String) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let message = match &path[..] {
        [] => format!("the inventory has no [{name}]"),
        ["hosts", host] => format!("the host \"{host}\" has no `{name}`"),
        ["clusters", cluster] => format!("the cluster \"{cluster}\" has no `{name}`"),
        ["kubernetes", cluster] => {
            format!("the Kubernetes cluster \"{cluster}\" has no `{name}`")
        }
        _ => format!("[{}] has no `{name}`", path.join(".")),
    };
    let hint = match (&path[..], name) {
        ([], "site") => "write: [site]\nname = \"prod\"",
        ([], "hosts") => "write for each host: [hosts.etcd-1]\naddress = \"10.20.0.11\"",
        ([], "clusters") => {
            "write: [clusters.main]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]"
        }
        ([], "pki") => "write: [pki]\nrecipients = [\"age1…\"]",
        (["site"], "name") => "write: name = \"prod\"",
        (["hosts", _], "address") => "write: address = \"10.20.0.11\"",
        (["clusters", _, "bootstrap", "dns-srv"], "domain") => "write: domain = \"example.net\"",
        (["clusters", _], "members") => "write: members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]",
        (["kubernetes", _], "cluster") => "write: cluster = \"main\", a cluster of [clusters]",
        (["kubernetes", _], "mode") => {
            "write: mode = \"static-pod\", or mode = \"render-only\" if quorate is to touch no API server"
        }
        _ => return (message, format!("write: {name} = …")),
    };
    (message, hint.to_owned())
}

/// A key that does not exist, but that people have a reason to look for: the code, what is wrong
/// and what to do.
pub(super) fn unsupported(path: &[String], name: &str) -> Option<(&'static str, String, String)> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let say = |code, message: String, hint: &str| Some((code, message, hint.to_owned()));
    match (&path[..], name) {
        ([], "sites") => say(
            "unsupported",
            "more than one site in a file is not supported".to_owned(),
            "a file is what one `apply` may touch: write one inventory a site, with one [site]",
        ),
        (["clusters", _, "bootstrap", "discovery-v3"], "password" | "discovery-password") => say(
            "plain-secret",
            "an inventory holds no passwords".to_owned(),
            "write the password into a file outside git, and: password-file = \"discovery-password\"",
        ),
        (
            ["clusters", _] | ["defaults", "cluster"],
            "tls" | "scheme" | "insecure" | "plain-http",
        ) => say(
            "plain-http",
            "etcd without TLS is not supported".to_owned(),
            "leave the key out: anyone who reaches an open etcd owns the whole cluster, so clients and peers always use TLS",
        ),
        (["hosts", _], "user" | "port" | "identity-file" | "host-key" | "connect-timeout") => say(
            "unknown-key",
            format!("a host has no key `{name}` of its own"),
            &format!("write: ssh.{name} = …"),
        ),
        (["hosts", _, "ssh"] | ["defaults", "ssh"], "proxy-jump" | "jump" | "bastion") => say(
            "unsupported",
            "jump hosts are not part of the inventory".to_owned(),
            "write ProxyJump into ~/.ssh/config, under the host's name",
        ),
        (
            ["hosts", _, "ssh"] | ["defaults", "ssh"],
            "password" | "sudo-password" | "become-password",
        ) => say(
            "plain-secret",
            "an inventory holds no passwords".to_owned(),
            "log in with a key, as root or as a user who needs no password for sudo",
        ),
        (
            ["clusters", _, "backups", "s3"],
            "access-key" | "secret-key" | "access-key-id" | "secret-access-key" | "session-token"
            | "profile" | "credentials-file",
        ) => say(
            "plain-secret",
            "an inventory holds no S3 credentials".to_owned(),
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where quorate runs",
        ),
        (["firewall"], "enable") => say(
            "unsupported",
            "quorate renders the rules of the firewall and does not load them".to_owned(),
            "leave it out; docs/firewall.md shows how to load what `quorate firewall render` prints",
        ),
        ([], "etcd" | "ports" | "version" | "members" | "runtime") => say(
            "unknown-key",
            format!("`{name}` belongs to a cluster"),
            &format!("write it under [clusters.main], or [defaults.cluster]: {name} = …"),
        ),
        ([], "include" | "site" | "hosts" | "clusters" | "pki") => say(
            "include",
            format!("`{name}` may not stand in an included file"),
            "only [defaults] and [release] may be included; write the rest in the inventory itself",
        ),
        _ => None,
    }
}

/// A value of the wrong type: what to write.
pub(super) fn mistyped(
    path: &[String],
    value: &DeValue<'_>,
    allowed: &mut dyn Iterator<Item = &str>,
) -> Option<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let allowed: Vec<&str> = allowed.collect();
    let text = allowed.contains(&"string");
    match (&path[..], value) {
        (["site"], DeValue::Array(_)) => {
            Some("one file is one site: write [site] once, not [[site]]".to_owned())
        }
        (["hosts"], DeValue::Array(_)) => Some("write a table a host: [hosts.etcd-1]".to_owned()),
        (["clusters"], DeValue::Array(_)) => {
            Some("write a table a cluster: [clusters.main]".to_owned())
        }
        (["clusters", _, "bootstrap"], _) => Some("write: bootstrap = { static = {} }".to_owned()),
        (["hosts", host], DeValue::String(address)) => {
            Some(format!("write: [hosts.{host}]\naddress = \"{address}\""))
        }
        (["kubernetes"], DeValue::Array(_)) => {
            Some("write a table a Kubernetes cluster: [kubernetes.prod]".to_owned())
        }
        ([.., "etcd", flag], DeValue::Array(_)) => {
            Some(format!("etcd takes a list as one text with commas: {flag} = \"a,b\""))
        }
        ([.., "etcd", flag], DeValue::Table(table)) => {
            Some(if table.contains_key("env") || table.contains_key("age-file") {
                format!(
                    "no etcd flag that quorate leaves to you takes a secret; leave `{flag}` out"
                )
            } else {
                format!("flags have no dots: write the whole name in one, `{flag}-…`")
            })
        }
        ([.., key], DeValue::Float(number)) if text => {
            Some(format!("write it in quotes: {key} = \"{number}\""))
        }
        ([.., key], DeValue::Datetime(date)) if text => {
            Some(format!("write it in quotes: {key} = \"{date}\""))
        }
        ([.., key], DeValue::Integer(number)) if text => {
            Some(format!("write it in quotes: {key} = \"{number}\""))
        }
        ([.., key], DeValue::String(word))
            if allowed == ["boolean"] && matches!(&**word, "true" | "false") =>
        {
            Some(format!("write it without quotes: {key} = {word}"))
        }
        ([.., key], DeValue::String(word))
            if allowed == ["integer"] && word.parse::<i64>().is_ok() =>
        {
            Some(format!("write it without quotes: {key} = {word}"))
        }
        ([.., key], DeValue::String(word)) if allowed == ["array"] => {
            Some(format!("write a list: {key} = [\"{word}\"]"))
        }
        _ => None,
    }
}
