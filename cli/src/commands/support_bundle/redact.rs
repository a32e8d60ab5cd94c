//! Takes secrets out of text that others wrote: drop-ins, logs of etcd and of services, an inventory. quorate's own
//! documents hold none. What looks like a secret goes, also where it is none.

mod inventory;
mod names;
mod urls;

pub(super) use inventory::without_values as inventory;
use names::named;
use urls::without_secrets;

/// What stands in the place of a secret.
const REMOVED: &str = "[removed]";

/// The longest line that is kept whole, in bytes.
const LONGEST: usize = 64 * 1024;

/// The text without secrets.
pub(super) fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.contains("PRIVATE KEY") && line.contains("-----BEGIN") {
            // A block on one line, as JSON has it, ends there.
            in_key = !line.contains("-----END");
            out.push_str("[removed: a private key]\n");
            continue;
        }
        if in_key {
            in_key = !line.contains("-----END");
            continue;
        }
        out.push_str(&of_line(&joined(line, &mut lines)));
        out.push('\n');
    }
    out
}

/// A line with its continuation lines: a secret is as secret in the second as in the first.
fn joined<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut whole = first.to_owned();
    let mut in_comment = false;
    while (in_comment || whole.ends_with('\\')) && whole.len() <= LONGEST {
        let Some(next) = lines.next() else { break };
        if whole.ends_with('\\') {
            whole.pop();
        }
        // systemd skips one in the middle of a value.
        in_comment = next.trim_start().starts_with(['#', ';']);
        // It need not be a blank that is between them.
        if next.trim_start().len() < next.len() && !whole.ends_with(char::is_whitespace) {
            whole.push(' ');
        }
        whole.push_str(next.trim_start());
    }
    whole
}

fn of_line(line: &str) -> String {
    let cut = line.floor_char_boundary(LONGEST);
    let (line, rest) = line.split_at(cut);
    let line = environment(line);
    let line = without_secrets(&line);
    let line = authorization(&line);
    let line = named(&line);
    let mut said: String = line.split_inclusive(|c: char| !is_of_word(c)).map(word).collect();
    if !rest.is_empty() {
        said.push_str(&format!(" [cut off: {} bytes]", rest.len()));
    }
    said
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=')
}

/// A word that is itself a key: of age, a JSON web token, a cloud's access key.
fn word(word: &str) -> String {
    let bare = word.trim_end_matches(|c: char| !is_of_word(c));
    let rest = &word[bare.len()..];
    let is_token = bare.starts_with("eyJ") && bare.matches('.').count() == 2;
    let is_access = bare.len() == 20 && (bare.starts_with("AKIA") || bare.starts_with("ASIA"));
    if bare.to_ascii_uppercase().contains("AGE-SECRET-KEY-") || is_token || is_access {
        format!("{REMOVED}{rest}")
    } else {
        word.to_owned()
    }
}

/// `Environment=` of a unit: what it sets, and not to what.
fn environment(line: &str) -> String {
    let values = line.trim_start().strip_prefix("Environment").map(str::trim_start);
    let Some(values) = values.and_then(|values| values.strip_prefix('=')) else {
        return line.to_owned();
    };
    let values = values.trim_start().trim_start_matches(['"', '\'']);
    match values.split_once('=') {
        Some((name, _)) => format!("Environment={name}={REMOVED}"),
        // It takes back what was set before.
        None if values.trim().is_empty() => line.to_owned(),
        None => format!("Environment={REMOVED}"),
    }
}

/// `Bearer …` and `Basic …`.
fn authorization(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    for scheme in ["bearer ", "basic "] {
        if let Some(at) = lower.find(scheme) {
            return format!("{}{REMOVED}", &line[..at + scheme.len()]);
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t";

    #[test]
    fn nothing_that_looks_like_a_secret_stays() {
        let age = format!("AGE-SECRET-KEY-1{SECRET}");
        let jwt = format!("eyJh.{SECRET}.x");
        for line in [
            format!("-----BEGIN PRIVATE KEY-----\nMIIE{SECRET}\n-----END PRIVATE KEY-----"),
            format!("\"key\": \"-----BEGIN OPENSSH PRIVATE KEY-----\\n{SECRET}\\n-----END\""),
            format!("identity {age}."),
            format!("identity {}", age.to_lowercase()),
            format!("Authorization: Bearer {SECRET} x"),
            format!("authorization: basic {SECRET}"),
            format!("token is {jwt},"),
            format!("Environment=\"HTTPS_PROXY=http://u:{SECRET}@proxy\""),
            format!("  Environment=A={SECRET} B={SECRET}"),
            format!("Environment = A={SECRET}"),
            format!("Environment\t=\t'A={SECRET}'"),
            format!("Environment=A=x \\\n    B={SECRET}"),
            format!("Environment=A=x \\\n    B=y \\\n{SECRET}"),
            format!("Environment=\\\n  {SECRET}"),
            format!("Environment=A=x \\\n# of old\nB={SECRET}"),
            format!("ExecStart=/usr/bin/x --token \\\n  {SECRET}"),
            format!("url = \"https://user:{SECRET}@host/path\""),
            format!("https://a:{SECRET}@b,https://c:{SECRET}@d"),
            format!("https://user:a,{SECRET}@host/x"),
            format!("https://user:a/{SECRET}#?{SECRET}@host/x"),
            format!("https://user:a@{SECRET}@host/x"),
            format!("GET https://blob/x?sv=1&sig={SECRET}"),
            format!("said to https://hooks.slack.com/services/T0/{SECRET}: 200"),
            format!("posts to https://chat/webhook/{SECRET}"),
            format!("etcd-password = \"{SECRET} {SECRET}\""),
            format!("{{\"auth\": 1, \"ClientSecret\": \"{SECRET}\"}}"),
            format!("password: {SECRET}"),
            format!("etcdctl --password {SECRET} get x"),
            format!("etcdctl --user root:{SECRET} get x"),
            format!("etcdctl --user=root:{SECRET} get x"),
            format!("ETCDCTL_USER=root:{SECRET}"),
            format!("curl -u root:{SECRET} https://x"),
            format!("[\"etcdctl\", \"--user\", \"root:{SECRET}\"]"),
            format!("[\"./notify\", \"--token\", \"{SECRET}\"]"),
            format!("[\"./notify\", \"--token\",\"{SECRET}\"]"),
            format!("run '--token' {SECRET}"),
            format!("DB_PASS={SECRET}"),
            format!("pwd: {SECRET}"),
            format!("sig = {SECRET}"),
            format!("webhook = \"{SECRET}\""),
            format!("info: started, token {SECRET}, took 3s"),
            format!("--auth-token=jwt,{SECRET}"),
            format!("the password of the password={SECRET}"),
        ] {
            let said = redacted(&line);
            assert!(!said.contains(SECRET), "{line}: {said}");
            assert!(said.contains("[removed"), "{said}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for line in [
            "warn: apply request took too long, took 1.2s",
            "https://10.0.0.1:2379,https://[fd00::1]:2379 is healthy",
            "https://host/path/of.tar.gz: 200",
            "ops@desk ran the apply",
            "the token of a bootstrap is not a password",
            "the user: etcd, and User=etcd, run --user etcd",
            "the signal came; the compass passes by",
            "Environment=",
            "ExecStart=/opt/quorate/etcd/3.6.16/etcd --name=etcd-1",
        ] {
            assert_eq!(redacted(line), format!("{line}\n"));
        }
    }

    #[test]
    fn a_line_without_an_end_is_cut_off_and_takes_no_time() {
        let started = std::time::Instant::now();
        for piece in ["token ", "--token", "https://", "password", "a@", "\"", "\\\n"] {
            let said = redacted(&piece.repeat(2_000_000 / piece.len()));
            assert!(said.len() <= 2 * LONGEST + 100 || piece == "\\\n", "{piece}");
        }
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }
}
