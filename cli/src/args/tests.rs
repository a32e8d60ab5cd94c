use clap::{CommandFactory, Parser};

use super::*;

/// The command lines in the examples of a command's help, without the explanations.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().filter_map(|line| line.strip_prefix("  quorate "));
    lines.map(|line| line.split("   ").next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_command_of_an_operator_shows_an_example_that_parses() {
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        let name = command.get_name();
        let has_none = [
            "version",
            "help",
            "pki",
            "release",
            "archives",
            "snapshot",
            "monitoring",
            "kubernetes",
            "firewall",
        ];
        if command.is_hide_set() || has_none.contains(&name) {
            continue;
        }
        let examples = examples(command);
        assert!(!examples.is_empty(), "{name} has no example");
        for line in examples {
            assert!(line.starts_with(name), "{name}: {line}");
            let words = line.replace("\"$(cat ~/.ssh/id_ed25519.pub)\"", "KEY");
            let words = ["quorate"].into_iter().chain(words.split_whitespace());
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
