//! `docs/reference/commands.md`, from the text of `lyftlearn-runtime --help`.

use expect_test::expect_file;

use super::page;
use crate::cli;

#[test]
fn commands() {
    let mut text = page(
        "Commands",
        "`run` is for an image's `ENTRYPOINT`. `exec` gives another process in the container the same view. The other commands look and change nothing.",
    );
    text.push_str("\n<!-- untested: generated from the code -->\n```text\n");
    text.push_str(cli::HELP);
    text.push_str("```\n");
    expect_file!["../../../docs/reference/commands.md"].assert_eq(&text);
}
