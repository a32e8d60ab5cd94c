//! A script takes exactly the arguments that it names, and none of their values is read by the shell.

use super::bench::{Run, keys_of, on_each_shell};
use super::lint::ALL;
use crate::script;

/// A stand-in for what the script does: nothing on this machine is touched.
fn arguments_alone(script: &str) -> String {
    let mut text = String::new();
    for line in script.lines() {
        text += line;
        text.push('\n');
        if line.starts_with("takes ") {
            return text + "changed\n";
        }
    }
    panic!("the script names no arguments:\n{script}")
}

#[test]
fn every_script_takes_the_arguments_that_it_names_and_no_others() {
    on_each_shell(|bench| {
        for script in ALL {
            let script = arguments_alone(script);
            let keys = keys_of(&script);
            let all = Run::unguarded(&script, &vec!["x"; keys.len()]);
            let said = |run: &Run<'_>| {
                let reply = bench.run(run);
                (reply.status, String::from_utf8(reply.stdout).unwrap())
            };
            assert_eq!(said(&all), (0, "changed\n".to_owned()), "{keys:?}");
            let more = Run { args: all.args.clone(), ..Run::unguarded(&script, &[""; 0]) };
            let unknown = "failed the script takes no argument nobody\n".to_owned();
            assert_eq!(said(&more.set("nobody", 1)), (1, unknown), "{keys:?}");
            for missing in &keys {
                let mut less = Run::unguarded(&script, &vec!["x"; keys.len()]);
                less.args.retain(|argument| !argument.starts_with(&format!("{missing}=")));
                let why = format!("failed the script's argument {missing} is missing\n");
                assert_eq!(said(&less), (1, why), "{keys:?}");
            }
        }
    });
}

#[test]
fn a_value_arrives_as_it_is_and_a_name_that_is_none_is_refused() {
    on_each_shell(|bench| {
        let script = script::REGISTER_HOST.split("\ntakes ").next().unwrap();
        let script =
            format!("{script}\ntakes 'one two' \"$@\"\nprintf '%s' \"$two\" >out\nchanged\n");
        let values = [
            "",
            "=",
            "a=b",
            "$(touch ran)",
            "`touch ran`",
            "'\";touch ran",
            "a\nb\n",
            "*",
            "\\",
            "-n",
            "é\r",
        ];
        for value in values {
            bench.done(&Run::unguarded(&script, &["", value]));
            assert_eq!(bench.read("out"), value);
        }
        for name in
            ["", "one two", "two;touch ran", "$(touch ran)", "TWO", "one,two", "work", "PATH"]
        {
            let run = Run::unguarded(&script, &["", "x"]).set(name, "y");
            assert_eq!(bench.run(&run).status, 1, "{name}");
        }
        let bare = Run {
            args: vec!["one".to_owned(), "two=".to_owned()],
            ..Run::unguarded(&script, &[""; 0])
        };
        assert_eq!(bench.run(&bare).status, 1);
        assert_eq!(bench.entries(), ["out"]);
    });
}

/// What the host sets for itself under the name of an argument is not handed on to the programs of the script.
#[test]
fn no_argument_is_exported_because_the_host_had_a_variable_of_its_name() {
    on_each_shell(|bench| {
        let script = script::REGISTER_HOST.split("\ntakes ").next().unwrap();
        let script =
            format!("export token=host\n{script}\ntakes token \"$@\"\nenv >out\nchanged\n");
        let run = Run { args: vec!["token=ours".to_owned()], ..Run::unguarded(&script, &[""; 0]) };
        bench.done(&run);
        assert!(!bench.read("out").contains("token="));
    });
}
