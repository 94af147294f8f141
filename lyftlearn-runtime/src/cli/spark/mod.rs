//! `spark`: proves the way from executors to a driver of this container, without Spark.

mod fault;
mod listen;
mod reach;

use lexopt::Parser;

use super::usage;
use crate::error::Error;
use fault::SparkFault;

pub(super) fn spark(mut words: Parser) -> Result<u8, Error> {
    let words = usage::options(&mut words, |_, _| Ok(false))?;
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let (word, argument, more) = (words.next(), words.next(), words.next());
    if let Some(more) = more {
        let word = more.into_owned();
        return Err(SparkFault::UnexpectedWord { word }.into());
    }
    match word.as_deref() {
        Some("listen") => listen::listen(argument.as_deref()),
        Some("reach") => reach::reach(argument.as_deref()),
        _ => Err(SparkFault::NoWord.into()),
    }
}
