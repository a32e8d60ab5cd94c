//! The examples at the end of each command's help. A test parses every line of them.

pub(super) const INIT: &str = "\
Examples:
  quorate init root@10.20.1.11 root@10.20.1.12 root@10.20.1.13
  quorate init --site prod --recipient \"$(cat ~/.ssh/id_ed25519.pub)\" admin@etcd-1.example.com";

pub(super) const TRUST: &str = "\
Examples:
  quorate trust
  quorate trust --yes      for hosts on a network that you trust";

pub(super) const VALIDATE: &str = "\
Examples:
  quorate validate
  quorate validate -i sites/prod/quorate.toml";

pub(super) const PLAN: &str = "\
Examples:
  quorate plan
  quorate plan --detailed-exitcode       2 if something has drifted: for a check every night
  quorate plan --out site.plan           for `quorate apply site.plan` after a review
  quorate plan --host etcd-2 --diff      one host, with the contents of the files";

pub(super) const APPLY: &str = "\
Examples:
  quorate apply
  quorate apply site.plan                what `quorate plan --out site.plan` saved
  quorate apply --expect 5b7a60c90d3a    the plan that was reviewed, or none
  quorate apply --yes --json             in CI: asks nothing, one JSON object per line

Exit codes:
  0  everything is as the inventory says
  1  failed, and nothing was changed
  3  the saved plan, or the one of --expect, is stale
  5  another apply holds the lock
  6  a part was applied: run apply again
  8  blocked, and nothing was changed
  9  applied, and something else is blocked or held back
docs/exit-codes.md has all of them.";

pub(super) const DEFRAG: &str = "\
Examples:
  quorate defrag --dry-run               what it would do, and why not
  quorate defrag --cluster main
  quorate defrag --min-free-mb 20        where less is worth it
  quorate defrag --yes --json            every night: asks nothing, one JSON object per line";

pub(super) const STATUS: &str = "\
Examples:
  quorate status
  quorate status --cluster main --json
  quorate status --preflight             times disks and round trips too";

pub(super) const ETCDCTL: &str = "\
Examples:
  quorate etcdctl -- member list -w table
  quorate etcdctl -- endpoint status --cluster -w table
  quorate etcdctl --host etcd-2 -- get --prefix --keys-only /registry/namespaces";

pub(super) const CLIENT_CERT: &str = "\
Examples:
  quorate client-cert --cn kube-apiserver-etcd-client --out client/";

pub(super) const DNS: &str = "\
Examples:
  quorate dns
  quorate dns --cluster main --format hosts";

pub(super) const HISTORY: &str = "\
Examples:
  quorate history
  quorate history -n 20 --json";

pub(super) const UNLOCK: &str = "\
Examples:
  quorate unlock";

pub(super) const GRAPH: &str = "\
Examples:
  quorate graph                          for Graphviz: quorate graph | dot -Tsvg > plan.svg
  quorate graph --format mermaid         for a Markdown page";

pub(super) const SCHEMA: &str = "\
Examples:
  quorate schema                         for an editor: completion and checks in quorate.toml
  quorate schema plan                    for a program that reads `plan --json`";

pub(super) const COMPLETIONS: &str = "\
Examples:
  quorate completions bash               into a folder such as /etc/bash_completion.d/";
