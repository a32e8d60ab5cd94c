//! Long lines for a terminal: they break between words, and what follows is indented below its line.

/// Below this a break would not help.
const NARROWEST: usize = 40;

/// The most that a continued line is indented more than its line, unless its line has columns.
const HANG: usize = 4;

/// The text with lines of at most `width` columns, as far as its words allow. Colours take no column.
pub fn wrapped(text: &str, width: usize) -> String {
    if width < NARROWEST {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(|line| of_line(line, width)).collect()
}

fn of_line(line: &str, width: usize) -> String {
    let body = line.trim_end_matches('\n');
    let end = &line[body.len()..];
    if columns(body) <= width {
        return line.to_owned();
    }
    let indent = body.len() - body.trim_start_matches(' ').len();
    let most = width / 2;
    let hang = last_column(body, indent, most)
        .unwrap_or((indent + HANG).min(width / 3).max(indent.min(most)));
    let (mut out, mut at) = (" ".repeat(indent), indent);
    let mut is_first = true;
    for word in body[indent..].split(' ') {
        let long = columns(word);
        if !is_first && at + 1 + long > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            at = hang;
        } else if !is_first {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += long;
        is_first = false;
    }
    out + end
}

/// Where the last column of a line begins, if that is at most at `most`: behind two blanks that are not its indent.
fn last_column(body: &str, indent: usize, most: usize) -> Option<usize> {
    let gaps = body.match_indices("  ").filter(|(gap, _)| *gap >= indent);
    let begins = gaps.map(|(gap, _)| {
        let rest = &body[gap..];
        gap + rest.len() - rest.trim_start_matches(' ').len()
    });
    let begins = begins.filter(|begin| *begin < body.len());
    begins.map(|begin| columns(&body[..begin])).take_while(|begin| *begin <= most).last()
}

/// How many columns a text takes: its characters without colours.
fn columns(text: &str) -> usize {
    let (mut count, mut in_colour) = (0, false);
    for c in text.chars() {
        match c {
            '\u{1b}' => in_colour = true,
            'm' if in_colour => in_colour = false,
            _ if in_colour => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: &str = "  ~ etcd-1/main/unit  write the unit, as the inventory says
      why: quorate.toml:14 heartbeat-interval = 300, and the member runs with 100, which is etcd's default
blocked: etcd-3 (main): its data is gone; \u{1b}[31mit can't rejoin\u{1b}[0m and must be removed and added again [lost-member]
";

    #[test]
    fn a_plan_breaks_between_words_at_60_80_and_200_columns() {
        assert_eq!(
            wrapped(PLAN, 60),
            "  ~ etcd-1/main/unit  write the unit, as the inventory says
      why: quorate.toml:14 heartbeat-interval = 300, and the
          member runs with 100, which is etcd's default
blocked: etcd-3 (main): its data is gone; \u{1b}[31mit can't rejoin\u{1b}[0m
    and must be removed and added again [lost-member]
"
        );
        assert_eq!(
            wrapped(PLAN, 80),
            "  ~ etcd-1/main/unit  write the unit, as the inventory says
      why: quorate.toml:14 heartbeat-interval = 300, and the member runs with
          100, which is etcd's default
blocked: etcd-3 (main): its data is gone; \u{1b}[31mit can't rejoin\u{1b}[0m and must be removed
    and added again [lost-member]
"
        );
        assert_eq!(wrapped(PLAN, 200), PLAN);
        assert_eq!(wrapped(PLAN, 20), PLAN, "no terminal is that narrow");
    }

    #[test]
    fn the_last_column_of_a_line_goes_on_below_itself() {
        let line =
            "  1   + \u{1b}[2mstart\u{1b}[0m    start the member, and wait until it answers\n";
        let said = "  1   + \u{1b}[2mstart\u{1b}[0m    start the member, and\n                 wait until it answers\n";
        assert_eq!(wrapped(line, 40), said);
    }

    proptest! {
        #[test]
        fn only_blanks_become_line_ends(text in "[ a-z\n]{0,300}", width in 40_usize..120) {
            let said = wrapped(&text, width);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&said), words(&text));
            for line in said.lines() {
                prop_assert!(columns(line) <= width || line.split_whitespace().any(|word| columns(word) + width / 2 > width));
            }
        }
    }
}
