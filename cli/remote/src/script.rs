//! From a call to the bytes that a host's shell reads on its stdin.
//!
//! The command line is a constant. It reads a line with a length, takes that many bytes as the
//! script and evaluates them; what is left on stdin is the payload. `sh -s` would not do: dash
//! reads ahead and would run the payload as commands. All of the script is one `{ … }`, so a
//! script that was cut off on its way is a syntax error and not a shorter script.

use super::call::Call;
use super::stream::Output;

/// What a root login runs. The login shell parses it before `sh` does, so it keeps to what sh,
/// bash, dash, zsh, fish and csh read alike: words, spaces and one pair of single quotes without
/// `!`, `\` or a newline inside.
pub(crate) const EXEC: &str = r#"sh -c 'IFS= read -r n && s=$(head -c "$n") && eval "$s"'"#;

/// What any other login runs. `env` speaks to every shell, and makes sudo's complaints readable.
pub(crate) const EXEC_SUDO: &str =
    r#"env LC_ALL=C sudo -n sh -c 'IFS= read -r n && s=$(head -c "$n") && eval "$s"'"#;

/// Room for the line that carries the exit status behind a script's output.
const STATUS_ROOM: usize = 8;

/// A value that no shell word can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value with a NUL byte cannot be a shell argument")]
pub struct NulError;

/// Quotes any text as one word of a POSIX shell. This is the only way a value enters shell source.
pub fn quote(text: &str) -> Result<String, NulError> {
    if text.contains('\0') {
        return Err(NulError);
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// What marks the frame of one reply. Nothing that prints before it may guess it.
pub(crate) fn nonce() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(super::frame::hex(&bytes))
}

/// Everything before the payload: the length line and the script.
pub(crate) fn head(call: &Call, nonce: &str, output: &Output) -> Result<Vec<u8>, NulError> {
    let script = wrap(call, nonce, output)?;
    Ok(format!("{}\n{script}", script.len()).into_bytes())
}

/// The same script without comments and indentation, which are for readers of the source and half of
/// its bytes. It counts: what is longer than ten packets waits for the host's first answer to them.
pub fn lean(script: &str) -> String {
    let mut lean = String::with_capacity(script.len());
    for line in script.lines().map(str::trim_start) {
        if !line.is_empty() && !line.starts_with('#') {
            lean.push_str(line);
            lean.push('\n');
        }
    }
    lean
}

/// What follows the payload, so that `whole` can tell that all of it arrived.
pub(crate) fn tail(nonce: &str) -> Vec<u8> {
    format!("\n{nonce}\n").into_bytes()
}

fn wrap(call: &Call, nonce: &str, output: &Output) -> Result<String, NulError> {
    let mut args = String::new();
    for arg in &call.args {
        args.push(' ');
        args.push_str(&quote(arg)?);
    }
    let blobs: String = call
        .payload
        .lengths()
        .enumerate()
        .map(|(index, length)| format!("blob{}={length}\n", index + 1))
        .collect();
    let script = lean(call.script);
    let limit = call.max_reply + STATUS_ROOM;
    let (opened, closed) = match output {
        Output::Reply => (String::new(), ""),
        Output::Streamed(_) => {
            (format!("printf '\nQUORATE-STREAM %s\n' {nonce}\nexec 3>&1\n"), "exec 3>&-\n")
        }
    };
    Ok(format!(
        r#"{{
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
unset IFS CDPATH ENV BASH_ENV
umask 077
cd /
recv() {{ head -c "$1"; }}
whole() {{ IFS= read -r quorate_line && [ -z "$quorate_line" ] && IFS= read -r quorate_line && [ "$quorate_line" = {nonce} ]; }}
{blobs}quorate_script() {{
{script}
}}
{opened}quorate_out=$( {{ ( quorate_script{args} ); printf '\n%s.' "$?"; }} | head -c {limit} )
{closed}if [ "${{#quorate_out}}" -ge {limit} ]; then
printf '\nQUORATE-BEGIN %s over\n' {nonce}
else
quorate_nl='
'
quorate_rc=${{quorate_out##*"$quorate_nl"}}
quorate_out=${{quorate_out%"$quorate_nl"*}}
quorate_rc=${{quorate_rc%.}}
quorate_sum=$(printf '%s\n%s' "$quorate_rc" "$quorate_out" | sha256sum)
printf '\nQUORATE-BEGIN %s %s %s %s\n%s\nQUORATE-END %s\n' {nonce} "$quorate_rc" "${{#quorate_out}}" "${{quorate_sum%% *}}" "$quorate_out" {nonce}
fi
}}
"#
    ))
}
