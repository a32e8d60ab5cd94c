//! The text of a scenario, apart from what its commands mean.

/// What stands between commands and answer, and after the answer.
const FENCE: &str = "----";

/// Commands and the answer to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line that the block begins at, counted from 1.
    pub line: usize,
    /// Commands, comments and blank lines, as they are written.
    pub asked: Vec<String>,
    /// The answer, each line with its end.
    pub answer: String,
}

impl Block {
    /// The commands, each with its line.
    pub fn commands(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.asked.iter().enumerate();
        let lines = numbered.map(|(offset, text)| (self.line + offset, text.trim()));
        lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
    }
}

/// Splits a file into blocks.
///
/// # Errors
/// A block without its two fences, by its line.
pub fn parse(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((line, _)) = lines.peek().copied() {
        let mut until_fence = || {
            let mut taken = Vec::new();
            for (_, text) in lines.by_ref() {
                if text == FENCE {
                    return Ok(taken);
                }
                taken.push(text.to_owned());
            }
            Err(format!("the block at line {line} lacks a line {FENCE}"))
        };
        let asked = until_fence()?;
        let answer = until_fence()?.into_iter().map(|text| text + "\n").collect();
        blocks.push(Block { line, asked, answer });
    }
    Ok(blocks)
}

/// The file that these blocks are parsed from.
pub fn print(blocks: &[Block]) -> String {
    let block = |block: &Block| {
        let asked: String = block.asked.iter().map(|line| format!("{line}\n")).collect();
        format!("{asked}{FENCE}\n{}{FENCE}\n", block.answer)
    };
    blocks.iter().map(block).collect()
}

/// Two answers line by line, from the first line that differs.
pub fn difference(written: &str, given: &str) -> String {
    let same = written.lines().zip(given.lines()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str, sign: char| -> String {
        text.lines().skip(same).map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("after {same} lines that agree:\n{}{}", rest(written, '-'), rest(given, '+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# why\nsite members=1\nplan\n----\none\n\ntwo\n----\n\nplan\n----\n----\n";

    #[test]
    fn a_file_survives_being_read_and_written() {
        let blocks = parse(TEXT).unwrap();
        assert_eq!(print(&blocks), TEXT);
        assert_eq!(blocks[0].answer, "one\n\ntwo\n");
        assert_eq!(blocks[0].commands().collect::<Vec<_>>(), [(2, "site members=1"), (3, "plan")]);
        assert_eq!(blocks[1].commands().collect::<Vec<_>>(), [(10, "plan")]);
    }

    #[test]
    fn a_block_without_its_end_is_named() {
        for cut in ["plan\n", "plan\n----\nanswer\n"] {
            assert_eq!(parse(cut).unwrap_err(), "the block at line 1 lacks a line ----");
        }
    }

    #[test]
    fn a_difference_begins_where_answers_part() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "after 1 lines that agree:\n- b\n+ c\n");
    }
}
