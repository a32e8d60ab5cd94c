//! A plan in a file. It holds no steps to replay: it names the plan, and what decided it. Applying
//! it plans again and continues only if the result is the same; else it says what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use inventories::SiteName;
use planner::report::Purpose;
use planner::{Plan, Policy, SiteFacts, fingerprint};
use serde::{Deserialize, Serialize};

use crate::allowed::Allowed;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use remote::bounded;

/// The version of the file's format.
const FORMAT: u32 = 1;

/// The longest file that is read, in bytes: a site of ten thousand hosts stays far below.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A plan's name, its steps by name, and the facts that decided it. No secret, nothing random.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    format_version: u32,
    site: SiteName,
    hash: String,
    steps: BTreeSet<String>,
    allowed: Allowed,
    decided_by: BTreeMap<String, String>,
    /// The plan as it was shown, for `quorate show`. It decides nothing.
    #[serde(default)]
    text: String,
}

impl SavedPlan {
    /// What is to be saved of a plan.
    pub fn new(plan: &Plan, facts: &SiteFacts, policy: &Policy) -> Self {
        Self {
            format_version: FORMAT,
            site: plan.site.clone(),
            hash: fingerprint::hash(plan),
            steps: plan.steps.iter().map(|step| step.id.to_string()).collect(),
            allowed: Allowed::from(policy),
            decided_by: fingerprint::of(facts, plan),
            text: String::new(),
        }
    }

    /// The same, with the plan as it is shown.
    #[must_use]
    pub fn shown_as(self, text: String) -> Self {
        Self { text, ..self }
    }

    /// The plan for a reader who is to approve it. From the file alone: it may no longer be up to date.
    pub fn summary(&self) -> String {
        let Self { format_version: _, site, hash, steps, allowed, decided_by: _, text } = self;
        let shown = match text.as_str() {
            "" => steps.iter().map(|step| format!("  {step}\n")).collect(),
            text => format!("{}\n", text.trim_end()),
        };
        let flags = allowed.words();
        let made = if flags.is_empty() { String::new() } else { format!("made with:{flags}\n") };
        let count = match steps.len() {
            1 => "1 step".to_owned(),
            many => format!("{many} steps"),
        };
        format!("{shown}\nPlan {} of site {site}, {count}\n{made}", fingerprint::short(hash))
    }

    /// What was allowed when the plan was made.
    pub fn policy(&self) -> Policy {
        self.allowed.clone().policy()
    }

    /// Writes the file again.
    pub fn write(&self, path: &Path) -> Result<(), CliError> {
        let doing = || format!("cannot save the plan to {}", path.display());
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| CliError::failed(ErrorContext::new(doing(), error)))?;
        fs::write(path, text + "\n")
            .map_err(|error| CliError::failed(ErrorContext::new(doing(), error)))
    }

    /// Reads a file that `write` wrote.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let doing = || format!("cannot read the plan in {}", path.display());
        let trouble = |error| CliError::failed(ErrorContext::new(doing(), error));
        let bytes = bounded::read(path, MAX_BYTES).map_err(trouble)?;
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| {
            CliError::failed(ErrorContext::new(doing(), error))
                .hint("quorate plan --out FILE writes one")
        })?;
        if saved.format_version != FORMAT {
            let version = saved.format_version;
            return Err(CliError::failed(format!("{}: format {version} is not known", doing())));
        }
        Ok(saved)
    }

    /// Refuses a plan that is no longer the one that was saved, and lists what moved.
    pub fn check(&self, plan: &Plan, facts: &SiteFacts) -> Result<(), CliError> {
        let now = Self::new(plan, facts, &self.policy());
        let then = Self { text: String::new(), ..self.clone() };
        if then == now {
            return Ok(());
        }
        let mut moved = Vec::new();
        if self.site != now.site {
            moved.push(format!("site: {} -> {}", self.site, now.site));
        }
        moved.extend(self.steps.difference(&now.steps).map(|step| format!("- step {step}")));
        moved.extend(now.steps.difference(&self.steps).map(|step| format!("+ step {step}")));
        moved.extend(fingerprint::moved(&self.decided_by, &now.decided_by));
        if moved.is_empty() {
            moved.push("what the steps do: the inventory or quorate itself has changed".to_owned());
        }
        Err(stale(
            &format!("the saved plan is stale; since it was made:\n  {}", moved.join("\n  ")),
            plan,
        ))
    }
}

/// Refuses a plan whose hash does not begin with what the operator expects.
pub fn expect(plan: &Plan, expected: &str) -> Result<(), CliError> {
    let hash = fingerprint::hash(plan);
    if expected.len() >= fingerprint::short(&hash).len() && hash.starts_with(expected) {
        return Ok(());
    }
    let message = format!(
        "the plan is {}, and {expected} was expected: something has changed since it was reviewed",
        fingerprint::short(&hash)
    );
    Err(stale(&message, plan))
}

fn stale(message: &str, plan: &Plan) -> CliError {
    let command = match plan.report.purpose {
        Purpose::Inventory => "quorate plan",
        Purpose::Defragment => "quorate defrag --dry-run",
        Purpose::Restore => "quorate restore --dry-run",
        Purpose::Destroy => "quorate destroy --dry-run",
        Purpose::Remove => "quorate remove --dry-run",
    };
    CliError::new(ExitCode::Stale, message.to_owned())
        .hint(format!("review the current plan: {command}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kit::hostile;

    fn saved() -> SavedPlan {
        SavedPlan {
            format_version: FORMAT,
            site: SiteName::new("lab").unwrap(),
            hash: "ab".repeat(32),
            allowed: Default::default(),
            steps: BTreeSet::from(["etcd-1/main/start".to_owned()]),
            decided_by: BTreeMap::from([("etcd-1: site".to_owned(), "lab".to_owned())]),
            text: String::new(),
        }
    }

    fn empty() -> (Plan, SiteFacts) {
        let plan = Plan {
            site: SiteName::new("lab").unwrap(),
            selection: planner::Selection::default(),
            steps: Vec::new(),
            report: planner::report::PlanReport::default(),
        };
        let facts = SiteFacts {
            observed_at: time::OffsetDateTime::UNIX_EPOCH,
            hosts: BTreeMap::new(),
            misled: BTreeMap::new(),
            bystanders: BTreeMap::new(),
        };
        (plan, facts)
    }

    #[test]
    fn a_saved_plan_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        saved().write(&path).unwrap();
        assert_eq!(SavedPlan::read(&path).unwrap(), saved());
    }

    #[test]
    fn what_is_no_saved_plan_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let mut other = saved();
        other.format_version = 2;
        other.write(&path).unwrap();
        assert!(SavedPlan::read(&path).is_err());
        fs::write(&path, "{}").unwrap();
        assert!(SavedPlan::read(&path).is_err());
    }

    /// A damaged file is refused, or it is of another plan, or the damage meant nothing.
    fn check(bytes: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        fs::write(&path, bytes).unwrap();
        let Ok(read) = SavedPlan::read(&path) else { return };
        let (plan, facts) = empty();
        let fresh = read == SavedPlan::new(&plan, &facts, &read.policy());
        assert_eq!(read.check(&plan, &facts).is_ok(), fresh);
    }

    #[test]
    fn the_corpus_is_refused_without_panic() {
        for (name, bytes) in hostile::corpus("saved-plan") {
            eprintln!("{name}");
            check(&bytes);
        }
    }

    #[test]
    fn no_depth_of_nesting_overflows_the_stack() {
        check("[".repeat(1_000_000).as_bytes());
        check(format!("{{\"allowed\":{}", "{\"a\":".repeat(1_000_000)).as_bytes());
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_refused_or_of_another_plan(bytes in hostile::damaged(samples())) {
            check(&bytes);
        }
    }

    fn samples() -> Vec<Vec<u8>> {
        let (plan, facts) = empty();
        let fresh = SavedPlan::new(&plan, &facts, &Default::default());
        [saved(), fresh].map(|plan| serde_json::to_vec_pretty(&plan).unwrap()).to_vec()
    }

    #[test]
    fn the_same_plan_is_fresh_and_another_is_stale_with_what_moved() {
        let (plan, facts) = empty();
        SavedPlan::new(&plan, &facts, &Default::default()).check(&plan, &facts).unwrap();
        let error = saved().check(&plan, &facts).unwrap_err();
        assert_eq!(error.kind, ExitCode::Stale);
        let text = error.source.to_string();
        assert!(text.contains("- step etcd-1/main/start"), "{text}");
        assert!(text.contains("etcd-1: site: lab -> nothing"), "{text}");
    }

    #[test]
    fn a_hash_must_be_given_in_full_or_by_its_short_form() {
        let (plan, _) = empty();
        let hash = fingerprint::hash(&plan);
        expect(&plan, &hash).unwrap();
        expect(&plan, fingerprint::short(&hash)).unwrap();
        assert!(expect(&plan, &hash[..4]).is_err());
        assert!(expect(&plan, "000000000000").is_err());
    }
}
