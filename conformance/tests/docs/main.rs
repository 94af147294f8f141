//! The documentation: its links lead somewhere, and its blocks of code are tested.
//!
//! A comment before a block says how it is tested, where its language does not say so:
//!
//! | comment | the block |
//! |---|---|
//! | `<!-- world: training -->` | `console`: runs in such a container (`training`, `pod`, `container`) |
//! | `<!-- file: PATH -->` | is a file of all containers of this page |
//! | `<!-- file: PATH = TEXT -->` | the next block's container has this file |
//! | `<!-- run -->` | `python`: runs with the wheel, and is not only compiled |
//! | `<!-- parser: image.toml -->` | `toml`: is `image.toml`, and not `runtime.toml` |
//! | `<!-- untested: REASON -->` | cannot be run here |
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads the repository, not the world; a test fails by panicking"
)]

mod blocks;
mod console;
mod links;
mod page;
mod reference;

#[path = "../../../lyftlearn-runtime/src/reference/meanings.rs"]
mod meanings;
#[path = "../../../lyftlearn-runtime/src/reference/strings.rs"]
#[expect(dead_code, reason = "the reference of the runtime reads more")]
mod strings;
