//! Text for people: columns, wrapped at the terminal's width, coloured on a terminal only.

use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::visible::visible_line;

/// What a piece of text is, by which it gets its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Heading,
    Name,
    Good,
    Odd,
    Bad,
    Faint,
}

impl Ink {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Heading => Style::new().bold().underline(),
            Self::Name => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Odd => AnsiColor::Yellow.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// The narrowest column that text is wrapped in; below this a terminal wraps by itself.
const NARROWEST: usize = 24;

/// Lines in the making. Whatever comes from outside is escaped here, before it is coloured.
pub(super) struct Page {
    text: String,
    /// `None`: lines are not wrapped, so that `grep` finds them whole.
    width: Option<usize>,
    coloured: bool,
}

impl Page {
    /// For standard output as it is.
    pub(super) fn for_stdout() -> Self {
        let stdout = std::io::stdout();
        Self {
            text: String::new(),
            width: terminal_width(&stdout),
            coloured: AutoStream::choice(&stdout) != ColorChoice::Never,
        }
    }

    /// For standard error as it is.
    pub(super) fn for_stderr() -> Self {
        let stderr = std::io::stderr();
        Self {
            text: String::new(),
            width: terminal_width(&stderr),
            coloured: AutoStream::choice(&stderr) != ColorChoice::Never,
        }
    }

    /// Neither wrapped nor coloured, or as the caller says.
    #[cfg(test)]
    pub(super) fn plain(width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            width,
            coloured: false,
        }
    }

    /// Wraps at `width` where there is no terminal that says otherwise.
    pub(super) fn wrapped_at(mut self, width: usize) -> Self {
        self.width = Some(self.width.unwrap_or(width));
        self
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// One line of `text`, which is wrapped below its own beginning.
    pub(super) fn line(&mut self, indent: usize, ink: Ink, text: &str) {
        self.row(indent, &[], ink, text);
    }

    /// A line of columns. All but the last have a width, and two spaces after it; on a terminal, a
    /// text that is wider moves what follows to the next line. The last one is wrapped below itself.
    pub(super) fn row(
        &mut self,
        indent: usize,
        columns: &[(Ink, &str, usize)],
        ink: Ink,
        last: &str,
    ) {
        self.spaces(indent);
        let hang = indent + columns.iter().map(|(.., width)| width + 2).sum::<usize>();
        let mut at = indent;
        let mut planned = indent;
        for (ink, text, width) in columns {
            let text = visible_line(text);
            let length = text.chars().count();
            self.paint(*ink, &text);
            at += length;
            planned += width + 2;
            if last.is_empty() {
                continue;
            }
            if at + 2 > planned && self.width.is_some() {
                self.text.push('\n');
                at = 0;
            }
            // Without a width, a line stays one line.
            let gap = planned.saturating_sub(at).max(2);
            self.spaces(gap);
            at += gap;
        }
        let last = visible_line(last);
        let room = self.width.map(|width| width.saturating_sub(hang));
        for (number, line) in wrap(&last, room.map(|room| room.max(NARROWEST)))
            .into_iter()
            .enumerate()
        {
            if number > 0 {
                self.text.push('\n');
                self.spaces(hang);
            }
            self.paint(ink, line);
        }
        self.text.push('\n');
    }

    /// One line that is never wrapped: a command to be copied.
    pub(super) fn verbatim(&mut self, indent: usize, text: &str) {
        self.spaces(indent);
        self.text.push_str(&visible_line(text));
        self.gap();
    }

    /// The page, ready to be written.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    fn paint(&mut self, ink: Ink, text: &str) {
        if !self.coloured || ink == Ink::Plain || text.is_empty() {
            return self.text.push_str(text);
        }
        let style = ink.style();
        self.text.push_str(&format!("{style}{text}{style:#}"));
    }
}

/// The width of the terminal at standard error.
pub(super) fn columns_of_stderr() -> Option<usize> {
    terminal_width(&std::io::stderr())
}

/// `None`: it is no terminal, or one that has no width.
fn terminal_width(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Breaks a line at spaces; a word that is wider than `width` gets its own line.
fn wrap(text: &str, width: Option<usize>) -> Vec<&str> {
    let Some(width) = width else {
        return vec![text];
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.chars().count() > width {
        // With the letter after the line: a word may end right at the edge.
        let limit = rest
            .char_indices()
            .nth(width + 1)
            .map_or(rest.len(), |(at, _)| at);
        let break_at = rest[..limit]
            .rfind(' ')
            .filter(|at| !rest[..*at].trim().is_empty())
            .or_else(|| rest[limit..].find(' ').map(|at| limit + at));
        let Some(at) = break_at else { break };
        lines.push(rest[..at].trim_end());
        rest = rest[at..].trim_start();
    }
    lines.push(rest);
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Ink, Page, wrap};

    #[test]
    fn long_lines_break_at_spaces() {
        assert_eq!(wrap("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrap("one two three", Some(6)), ["one", "two", "three"]);
        assert_eq!(wrap("one two three", None), ["one two three"]);
        assert_eq!(wrap("elephants are", Some(4)), ["elephants", "are"]);
        assert_eq!(wrap("", Some(4)), [""]);
    }

    #[test]
    fn columns_are_aligned_and_the_last_one_wraps_below_itself() {
        let mut page = Page::plain(Some(40));
        let row = |page: &mut Page, name: &str| {
            page.row(
                0,
                &[(Ink::Name, name, 8)],
                Ink::Plain,
                "some words that need more than one line",
            );
        };
        row(&mut page, "short");
        row(&mut page, "much-too-long");
        page.row(0, &[(Ink::Name, "alone", 8)], Ink::Plain, "");
        expect![[r#"
            short     some words that need more than
                      one line
            much-too-long
                      some words that need more than
                      one line
            alone
        "#]]
        .assert_eq(&page.into_text());
    }

    #[test]
    fn text_from_outside_cannot_colour_a_page() {
        let mut page = Page {
            coloured: true,
            ..Page::plain(None)
        };
        page.row(0, &[(Ink::Plain, "a\u{1b}[2J", 3)], Ink::Bad, "b\nc");
        assert_eq!(
            page.into_text(),
            "a\\u{1b}[2J  \u{1b}[1m\u{1b}[31mb\\nc\u{1b}[0m\n"
        );
    }
}
