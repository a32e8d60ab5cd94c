//! `docs/first-week.md`, as a reader types it.

use std::process::Command;

use quorate_lab::releases;

use crate::harness::{NEWEST, Run, Stage, on};

const PAGE: &str = include_str!("../../../docs/first-week.md");

/// What a block of the page is.
enum Block {
    /// Commands on the operator's machine.
    Console(String),
    /// A command as root on the third host.
    OnHost(String),
    /// What is added to the inventory.
    Toml(String),
}

fn blocks() -> Vec<Block> {
    let mut parts = PAGE.split("```");
    let mut found = Vec::new();
    // Every other part is inside a block.
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        let (kind, text) = block.split_once('\n').unwrap();
        let after = |prompt: &str| {
            let lines = text.lines().map(|line| line.strip_prefix(prompt));
            lines.collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
        };
        found.push(match kind {
            "toml" => Block::Toml(text.to_owned()),
            "console" => match (after("$ "), after("etcd-3# ")) {
                (Some(commands), _) => Block::Console(commands),
                (_, Some(command)) => Block::OnHost(command),
                _ => panic!("a line without a prompt: {text}"),
            },
            other => panic!("a block of {other}"),
        });
    }
    found
}

/// The commands with the lab's addresses. Nobody is there to say yes.
fn here(stage: &Stage, commands: &str) -> String {
    let mut commands = commands.to_owned();
    for host in stage.hosts() {
        let documented = format!("10.20.0.1{}", host.id().number());
        commands = commands.replace(&documented, &host.address().to_string());
    }
    for asks in ["quorate trust", "quorate apply"] {
        commands = commands.replace(asks, &format!("{asks} --yes"));
    }
    commands
}

fn runs(stage: &Stage, commands: &str) {
    let site = stage.folder().join("prod");
    let folder = if site.exists() { site } else { stage.folder().to_owned() };
    let program = quorate_lab::site::program();
    // Where the official checksums are out of reach, `init` says so.
    let proxy =
        (!folder.join("quorate.toml").exists()).then_some(("https_proxy", "http://127.0.0.1:9"));
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &here(stage, commands)])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.parent().unwrap().display()))
        .env("HOME", stage.folder().join("home"))
        .envs(proxy)
        .envs(["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_NAME"), "operator")))
        .envs(["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_EMAIL"), "o@example.net")))
        .current_dir(folder);
    Run::new(shell, &[commands]).ends(0);
}

#[test]
fn the_first_week_goes_as_it_is_documented() {
    let stage = Stage::empty("w-first", 3);
    let home = stage.folder().join("home/.ssh");
    std::fs::create_dir_all(&home).unwrap();
    let key = quorate_lab::ssh::ensure_operator_key().unwrap();
    std::fs::copy(&key, home.join("id_ed25519")).unwrap();
    std::fs::copy(key.with_extension("pub"), home.join("id_ed25519.pub")).unwrap();
    let inventory = stage.folder().join("prod/quorate.toml");
    let mut is_pinned = false;
    for block in blocks() {
        match block {
            Block::Console(commands) => runs(&stage, &commands),
            Block::OnHost(command) => drop(on(&stage.host(3), &command)),
            Block::Toml(text) => {
                let before = std::fs::read_to_string(&inventory).unwrap();
                std::fs::write(&inventory, format!("{before}\n{text}")).unwrap();
            }
        }
        if !is_pinned && inventory.exists() {
            from_the_mirror(&stage, &inventory);
            is_pinned = true;
        }
    }
}

/// The lab is a site without the internet: it has a mirror of its own.
fn from_the_mirror(stage: &Stage, inventory: &std::path::Path) {
    releases::ensure(NEWEST, |_| {}).unwrap();
    let text = std::fs::read_to_string(inventory).unwrap();
    let url = format!("url = \"{}/", stage.lab.mirror_url());
    let text = text.replace("# [release] ", "[release] ");
    let text = text.replace("# url = \"https://mirror.example.net/etcd/", &url);
    std::fs::write(inventory, text).unwrap();
    runs(stage, &format!("quorate release pin {NEWEST}"));
}
