//! Manifests in arbitrary layouts, each made of parts of which it is known what an edit makes of them.

use proptest::prelude::*;

use super::super::*;

/// A part of the text: it stays, or it is ours.
#[derive(Debug, Clone)]
enum Part {
    Stays(String),
    Ours { before: String, after: String },
}

/// How the lists are laid out.
#[derive(Debug, Clone)]
struct Layout {
    /// How much deeper than its key a list stands.
    indent: usize,
    /// Behind a dash.
    gap: usize,
    in_args: bool,
    line_end: &'static str,
    ends: bool,
}

const SERVERS: &str = "https://10.0.0.1:2379,https://10.0.0.2:2379";
const KEY: &str = "/etc/quorate/client.key";

fn layout() -> impl Strategy<Value = Layout> {
    (0..5_usize, 1..4_usize, any::<bool>(), prop::sample::select(vec!["\n", "\r\n"]), any::<bool>())
        .prop_map(|(indent, gap, in_args, line_end, ends)| Layout {
            indent,
            gap,
            in_args,
            line_end,
            ends,
        })
}

fn quoted(quotes: char, text: &str) -> String {
    if quotes == ' ' { text.to_owned() } else { format!("{quotes}{text}{quotes}") }
}

/// What may stand behind an entry on its line.
fn behind() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("   ".to_owned()),
        "[ -~]{0,12}".prop_map(|text| format!("  # {text} --etcd-servers=no")),
    ]
}

/// Lines between entries.
fn lines() -> impl Strategy<Value = Part> {
    prop_oneof![
        Just(Part::Stays("\n".to_owned())),
        "[ -~é]{0,20}".prop_map(|text| Part::Stays(format!("# {text}\n"))),
        Just(Part::Stays("    # - --etcd-servers=https://commented-out:2379\n".to_owned())),
    ]
}

/// An argument that is none of ours. `-` becomes the dash in the layout of the list.
fn other() -> impl Strategy<Value = Part> {
    let texts = vec![
        "--secure-port=6443",
        "--etcd-compaction-interval=10m",
        "--feature-gates=A=true,B=false",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--audit#path",
    ];
    (prop::sample::select(texts), quotes(), behind()).prop_map(|(text, quotes, behind)| {
        Part::Stays(format!("-{}{behind}\n", quoted(quotes, text)))
    })
}

fn quotes() -> impl Strategy<Value = char> {
    prop::sample::select(vec![' ', '\'', '"'])
}

/// A flag whose value is to change, as one argument or as two.
fn changed(name: &'static str, to: &'static str) -> impl Strategy<Value = Part> {
    (any::<bool>(), quotes(), quotes(), behind(), behind()).prop_map(
        move |(pair, quotes, more, behind, last)| {
            let render = |value: &str| {
                let flag = |text: &str| quoted(quotes, text);
                if pair {
                    let value = quoted(more, value);
                    format!("-{}{behind}\n# between\n-{value}{last}\n", flag(&format!("--{name}")))
                } else {
                    format!("-{}{behind}\n", flag(&format!("--{name}={value}")))
                }
            };
            Part::Ours { before: render("/old#value:1"), after: render(to) }
        },
    )
}

/// A flag that is to go.
fn removed() -> impl Strategy<Value = Part> {
    (any::<bool>(), quotes(), behind()).prop_map(|(pair, quotes, behind)| {
        let (name, value) = ("--etcd-servers-overrides", "/events#https://a:1;https://b:2");
        let before = if pair {
            format!("-{}{behind}\n-{value}\n", quoted(quotes, name))
        } else {
            format!("-{}{behind}\n", quoted(quotes, &format!("{name}={value}")))
        };
        Part::Ours { before, after: String::new() }
    })
}

/// The entries of a list, with the one last that new flags come behind.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let gaps = || prop::collection::vec(prop_oneof![lines(), other()], 0..4);
    let texts = (quotes(), behind());
    (
        gaps(),
        changed("etcd-servers", SERVERS),
        gaps(),
        removed(),
        gaps(),
        texts,
        gaps(),
        any::<bool>(),
    )
        .prop_map(|(a, servers, b, removed, c, (quotes, behind), d, at_the_end)| {
            let last = quoted(quotes, "--etcd-healthcheck-timeout=9s");
            let new = quoted(quotes, &format!("--etcd-keyfile={KEY}"));
            let last = format!("-{last}{behind}\n");
            let with_new = format!("{last}-{new}\n");
            let d = d.into_iter().filter(
                |part| !matches!(part, Part::Stays(text) if text.contains("--etcd-compaction")),
            );
            let ours = Part::Ours { before: last, after: with_new };
            let (middle, end) = match at_the_end {
                true => (Vec::new(), vec![removed]),
                false => (vec![removed], Vec::new()),
            };
            [a, vec![servers], b, middle, c, vec![ours], d.collect(), end].concat()
        })
}

/// The text before and after the edit.
fn rendered(layout: &Layout, parts: &[Part]) -> (String, String) {
    let dash = format!("{}-{}", " ".repeat(4 + layout.indent), " ".repeat(layout.gap));
    let (program, key) = match layout.in_args {
        true => ("    command: ['kube-apiserver'] # flags are below\n".to_owned(), "args"),
        false => (String::new(), "command"),
    };
    let first = if layout.in_args { String::new() } else { format!("{dash}kube-apiserver\n") };
    let head = format!(
        "# Mine.\nkind: Pod\nspec:\n  containers:\n  - name: kube-apiserver\n{program}    {key}:\n{first}"
    );
    let tail = if layout.ends { "    image: 'r/kube-apiserver:v1.34.4'\nstatus: {}\n" } else { "" };
    let text = |of: fn(&Part) -> &str| {
        let list: String = parts
            .iter()
            .flat_map(|part| of(part).split_inclusive('\n'))
            .map(|line| {
                line.strip_prefix('-').map_or(line.to_owned(), |entry| format!("{dash}{entry}"))
            })
            .collect();
        let whole = format!("{head}{list}{tail}");
        let whole =
            if layout.ends { whole } else { whole.strip_suffix('\n').unwrap_or(&whole).to_owned() };
        whole.replace('\n', layout.line_end)
    };
    let before = text(|part| match part {
        Part::Stays(text) | Part::Ours { before: text, .. } => text,
    });
    let after = text(|part| match part {
        Part::Stays(text) | Part::Ours { after: text, .. } => text,
    });
    (before, after)
}

proptest! {
    #[test]
    fn every_byte_that_is_not_ours_stays((layout, parts) in (layout(), parts())) {
        let (before, after) = rendered(&layout, &parts);
        let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let flags = [
            set("etcd-servers", SERVERS),
            set("etcd-keyfile", KEY),
            ("etcd-servers-overrides".to_owned(), None),
        ];
        let wanted = Wanted { flags: flags.into(), folder: None };
        let edited = Manifest::read(&before).unwrap().edited(&wanted).unwrap();
        prop_assert_eq!(&edited, &after, "of {}", before);
        prop_assert_eq!(Manifest::read(&edited).unwrap().edited(&wanted).unwrap(), edited);
    }
}
