//! What an apply runs on the operator's machine.

use crate::inventory::{HookCommand, Hooks};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

pub(super) fn hooks(raw: &schema::Hooks, report: &mut Report<'_>) -> Hooks {
    let schema::Hooks { before_apply, after_apply, on_failure } = raw;
    let mut read = |raw: &Option<Loc<Vec<Loc<String>>>>| command(raw.as_ref()?, report);
    Hooks {
        before_apply: read(before_apply),
        after_apply: read(after_apply),
        on_failure: read(on_failure),
    }
}

fn command(raw: &Loc<Vec<Loc<String>>>, report: &mut Report<'_>) -> Option<HookCommand> {
    let mut words = raw.iter();
    let program = words.next().filter(|program| !program.is_empty());
    let odd = raw.iter().find(|word| word.contains('\0'));
    let (Some(program), None) = (program, odd) else {
        let at = odd.map_or_else(|| At::new(0, raw.span()), |word| At::new(0, word.span()));
        let message = "a hook is a program with its arguments, and this names none";
        report
            .add(Finding::error("hook", &at, message).hint("write it as [\"./notify\", \"etcd\"]"));
        return None;
    };
    let arguments = words.map(|word| word.value().clone()).collect();
    Some(HookCommand { program: program.value().clone(), arguments })
}
