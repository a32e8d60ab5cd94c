use std::fs;

use super::*;

/// A repository in a folder of its own.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.net"];
        let said = git(self.0.path(), [&identity[..], arguments].concat()).unwrap();
        said.text().unwrap_or_else(|why| panic!("git {arguments:?}: {why}"))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits the inventory with this text.
    fn commit(&self, text: &str) -> Commit {
        self.write("quorate.toml", text);
        self.git(&["add", "quorate.toml"]);
        self.git(&["commit", "-qm", text]);
        Commit::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    fn checkout(&self) -> Checkout {
        checkout(self.0.path())
    }
}

fn checkout(folder: &Path) -> Checkout {
    let files = |names: &[&str]| names.iter().map(|name| folder.join(name)).collect();
    let files = Files {
        public: files(&["quorate.toml", "pki/main/peer-ca.crt"]),
        records: files(&["pki/main/formed.toml"]),
        secret: files(&["pki/main/peer-ca.key"]),
    };
    Checkout::of_files(folder, &files)
}

fn at(checkout: &Checkout) -> &Provenance {
    checkout.known().unwrap_or_else(|| panic!("{checkout:?}"))
}

/// The message and the hint with which these applied commits are refused.
fn refused(checkout: &Checkout, applied: &Commit) -> String {
    let error = at(checkout).refuse_older(&BTreeSet::from([applied.clone()])).unwrap_err();
    assert_eq!(error.kind, ExitCode::Blocked);
    format!("{error}; {}", error.hints.join("; "))
}

#[test]
fn a_commit_that_is_behind_is_fine_and_one_that_is_not_is_refused() {
    let repository = Repository::new();
    let commits = ["one", "two"].map(|text| repository.commit(text));
    let now = repository.checkout();
    assert_eq!(at(&now).commit, commits[1]);
    at(&now).refuse_older(&commits.iter().cloned().collect()).unwrap();
    repository.git(&["checkout", "-q", commits[0].as_str()]);
    let older = repository.checkout();
    let said = refused(&older, &commits[1]);
    assert!(said.contains("does not contain") && said.contains("pull if"), "{said}");
}

#[test]
fn a_commit_that_this_clone_lacks_is_not_taken_for_an_older_one() {
    let repository = Repository::new();
    repository.commit("one");
    let said = refused(&repository.checkout(), &Commit::parse(&"0".repeat(40)).unwrap());
    assert!(said.contains("this clone does not have") && said.contains("squash"), "{said}");
}

/// As CI checks out: the commit that was applied last is out of its reach.
#[test]
fn a_shallow_clone_says_that_it_is_shallow() {
    let repository = Repository::new();
    let commits = ["one", "two", "three"].map(|text| repository.commit(text));
    let clone = tempfile::tempdir().unwrap();
    let url = format!("file://{}", repository.0.path().display());
    let folder = clone.path().join("clone");
    let name = folder.display().to_string();
    repository.git(&["clone", "-q", "--depth", "1", &url, &name]);
    let shallow = checkout(&folder);
    at(&shallow).refuse_older(&BTreeSet::from([commits[2].clone()])).unwrap();
    let said = refused(&shallow, &commits[1]);
    assert!(said.contains("shallow") && said.contains("git fetch --unshallow"), "{said}");
    git(&folder, ["fetch", "-q", "--unshallow"]).unwrap().text().unwrap();
    at(&shallow).refuse_older(&BTreeSet::from([commits[1].clone()])).unwrap();
}

#[test]
fn a_squashed_branch_with_the_same_inventory_is_no_step_back() {
    let repository = Repository::new();
    repository.commit("one");
    repository.git(&["checkout", "-qb", "change"]);
    let applied = repository.commit("two");
    repository.git(&["checkout", "-q", "main"]);
    assert!(refused(&repository.checkout(), &applied).contains("does not contain"));
    repository.git(&["merge", "-q", "--squash", "change"]);
    repository.git(&["commit", "-qm", "squashed"]);
    at(&repository.checkout()).refuse_older(&BTreeSet::from([applied])).unwrap();
}

#[test]
fn what_the_site_reads_and_is_not_committed_is_refused_file_by_file() {
    let repository = Repository::new();
    repository.commit("one");
    repository.checkout().refuse_dirty().unwrap();
    repository.write("quorate.toml", "two");
    repository.write("pki/main/peer-ca.crt", "certificate");
    let error = repository.checkout().refuse_dirty().unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("not committed: "), "{said}");
    for part in ["pki/main/peer-ca.crt (not in git)", "quorate.toml (modified)"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(repository.checkout().warnings().len(), 1);
}

#[test]
fn what_else_lies_in_the_folder_is_not_asked_for() {
    let repository = Repository::new();
    repository.commit("one");
    for other in ["client/kube.key", "p.plan", "password", "pki/main/peer-ca.key"] {
        repository.write(other, "secret");
    }
    repository.checkout().refuse_dirty().unwrap();
    assert!(repository.checkout().warnings().is_empty());
}

#[test]
fn what_git_ignores_is_not_committed() {
    let repository = Repository::new();
    repository.write(".gitignore", "*.toml\npki/\n");
    repository.git(&["add", ".gitignore"]);
    repository.git(&["commit", "-qm", "one"]);
    repository.write("quorate.toml", "two");
    repository.write("pki/main/peer-ca.crt", "certificate");
    let said = repository.checkout().refuse_dirty().unwrap_err().to_string();
    for part in ["pki/main/peer-ca.crt (ignored by git)", "quorate.toml (ignored by git)"] {
        assert!(said.contains(part), "{said}");
    }
    repository.git(&["add", "-f", "quorate.toml", "pki"]);
    repository.git(&["commit", "-qm", "two"]);
    repository.checkout().refuse_dirty().unwrap();
}

#[test]
fn a_record_of_a_formed_cluster_is_asked_for_and_its_loss_is_refused() {
    let repository = Repository::new();
    repository.commit("one");
    repository.write("pki/main/formed.toml", "formed");
    let new = repository.checkout();
    new.refuse_dirty().unwrap();
    assert!(new.warnings()[0].contains("pki/main/formed.toml is not committed"), "{new:?}");
    repository.git(&["add", "pki"]);
    repository.commit("two");
    assert!(repository.checkout().warnings().is_empty());
    fs::remove_file(repository.0.path().join("pki/main/formed.toml")).unwrap();
    let said = repository.checkout().refuse_dirty().unwrap_err().to_string();
    assert!(said.contains("pki/main/formed.toml (deleted)"), "{said}");
}

#[test]
fn a_ca_key_that_is_in_git_as_it_is_is_warned_of() {
    let repository = Repository::new();
    repository.write("pki/main/peer-ca.key", "secret");
    repository.git(&["add", "pki"]);
    repository.commit("one");
    let warnings = repository.checkout().warnings();
    assert!(warnings[0].contains("pki/main/peer-ca.key is a CA key in git"), "{warnings:?}");
}

#[test]
fn outside_of_git_there_is_nothing_to_check() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(checkout(folder.path()), Checkout::None));
    let unfinished = Repository::new();
    assert!(matches!(unfinished.checkout(), Checkout::None));
}

/// As in a container that runs as another user, or where `.git` is damaged.
#[test]
fn a_git_that_does_not_answer_is_not_taken_for_no_git() {
    let repository = Repository::new();
    repository.commit("one");
    repository.write(".git/config", "[core\n");
    let broken = repository.checkout();
    assert!(matches!(&broken, Checkout::Unknown(why) if why.contains("config")), "{broken:?}");
    let error = broken.refuse_dirty().unwrap_err();
    assert_eq!(error.kind, ExitCode::Blocked);
    assert_eq!(broken.warnings().len(), 1);
}
