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

pub(super) const SHOW: &str = "\
Examples:
  quorate show site.plan";

pub(super) const APPLY: &str = "\
Examples:
  quorate apply
  quorate apply site.plan                what `quorate plan --out site.plan` saved
  quorate apply --expect 5b7a60c90d3a    the plan that was reviewed, or none
  quorate apply --pause                  asks between members whether to continue
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
  quorate defrag --compact-now main      out of space: keep only the newest revision of each key
  quorate defrag --yes --json            every night: asks nothing, one JSON object per line";

pub(super) const DESTROY: &str = "\
Examples:
  quorate destroy --cluster events --dry-run
  quorate destroy --cluster events
  quorate destroy --cluster events --allow-no-backup events --yes --confirm events     in a script";

pub(super) const REMOVE: &str = "\
Examples:
  quorate remove --cluster events --host etcd-3 --dry-run
  quorate remove --cluster events --host etcd-3";

pub(super) const RECOVER: &str = "\
Examples:
  quorate recover --cluster main
  quorate recover --cluster main --check --identity key.txt      in CI: could the newest backup be restored?

docs/recovery.md leads through the rest.";

pub(super) const RESTORE: &str = "\
Examples:
  quorate restore --cluster main --from prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f --clients-stopped main --dry-run
  quorate restore --cluster main --from prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f --clients-stopped main
  quorate restore --cluster main --from backup.db --clients-stopped main --allow-data-loss main
  quorate restore --cluster main --from backup.db --clients-stopped main --gone etcd-2,etcd-3

docs/recovery.md leads through it, from the first look to the end.";

pub(super) const STATUS: &str = "\
Examples:
  quorate status
  quorate status --cluster main --json
  quorate status --preflight             times disks and round trips too
  quorate status --watch
  quorate status --detailed-exitcode --warn-days 60
  quorate status --format prometheus";

pub(super) const LOGS: &str = "\
Examples:
  quorate logs                           the newest lines of every member
  quorate logs --host etcd-2 -f          one host, as it writes
  quorate logs --since 15m -n 1000       what happened around a failure, on all hosts";

pub(super) const SUPPORT_BUNDLE: &str = "\
Examples:
  quorate support-bundle
  quorate support-bundle --out bundle.tar -n 20000";

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
  quorate history                        one line for each apply
  quorate history --since 7d --cluster main
  quorate history --steps --host etcd-2   what each step did on a host";

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
