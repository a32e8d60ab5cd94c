//! The user who runs this program, as hosts record it.

use std::env;

/// The longest name, in characters: a host's file has it on one line.
const LONGEST: usize = 200;

/// Person and machine, or the job of a CI system.
pub(super) fn actor() -> String {
    let named = |key: &str| env::var(key).ok().filter(|value| !value.is_empty());
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    one_line(&name(named, &node)).chars().take(LONGEST).collect()
}

/// What `QUORATE_ACTOR` says; else who started the CI job, and its URL; else the user, the one before sudo, and the
/// machine.
fn name(named: impl Fn(&str) -> Option<String>, node: &str) -> String {
    let first = |keys: &[&str]| keys.iter().find_map(|key| named(key));
    if let Some(actor) = named("QUORATE_ACTOR") {
        return actor;
    }
    let of_github = || {
        let [server, repository, run] =
            ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(&named);
        Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
    };
    // GitLab, Buildkite, Jenkins.
    let job = first(&["CI_JOB_URL", "BUILDKITE_BUILD_URL", "BUILD_URL"]).or_else(of_github);
    if let Some(job) = job {
        let people =
            ["GITLAB_USER_LOGIN", "GITHUB_ACTOR", "BUILDKITE_BUILD_CREATOR", "BUILD_USER_ID"];
        let person = first(&people).unwrap_or_else(|| "ci".to_owned());
        return format!("{person} in {job}");
    }
    let before_sudo = named("SUDO_USER").filter(|user| user != "root");
    let user = before_sudo.or_else(|| first(&["USER", "LOGNAME"]));
    format!("{}@{node}", user.unwrap_or_else(|| "root".to_owned()))
}

/// A host's files have one value a line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> String {
        let named = |key: &str| {
            let found = variables.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        name(named, "vm")
    }

    #[test]
    fn an_actor_is_a_person_wherever_one_is_known() {
        let sudo = [("USER", "root"), ("SUDO_USER", "ann")];
        let gitlab = [("CI_JOB_URL", "https://git/-/jobs/7"), ("GITLAB_USER_LOGIN", "bob")];
        let github = [
            ("GITHUB_SERVER_URL", "https://hub"),
            ("GITHUB_REPOSITORY", "ops/etcd"),
            ("GITHUB_RUN_ID", "9"),
        ];
        assert_eq!(of(&[]), "root@vm");
        assert_eq!(of(&[("USER", "ann")]), "ann@vm");
        assert_eq!(of(&sudo), "ann@vm");
        assert_eq!(of(&[("USER", "root"), ("SUDO_USER", "root")]), "root@vm");
        assert_eq!(of(&gitlab), "bob in https://git/-/jobs/7");
        assert_eq!(of(&github), "ci in https://hub/ops/etcd/actions/runs/9");
        assert_eq!(of(&[&[("QUORATE_ACTOR", "carol")], &gitlab[..]].concat()), "carol");
    }
}
