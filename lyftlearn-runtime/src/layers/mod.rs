//! How settings are read: layers over each other through figment, every value with its source,
//! every mistake in one report, no value ever in an error's text.
//!
//! This room does not know which settings there are. Other rooms declare them as [`Key`]s, put
//! them together as a [`Register`], lay the layers on a [`Stack`], low to high, and read typed
//! values from the [`Reader`] that it becomes.

mod fault;
mod key;
mod reader;
mod service_links;
mod stack;
mod values;

pub(crate) use fault::{Mistake, Mistakes, SettingsFault};
pub(crate) use key::{Form, Register, nearest};
pub use key::{Key, Unset};
pub(crate) use reader::{Layers, Reader};
#[cfg(feature = "cli")]
pub(crate) use service_links::Services;
pub(crate) use stack::{File, Layer, Stack};
pub(crate) use values::{
    BOOLEAN, ON_OFF, PATH, PATHS, Parsed, SECONDS, SIGNAL, SIGNALS, TEXT, WORDS, boolean, command,
    list, list_of, number, on_off, one_of, path, paths, seconds, signal, signals, text, text_of,
    words,
};
