//! Problems: conditions that are unusual but do not stop a start, one sentence each. Conditions
//! that stop a start are errors.

use serde::Serialize;

/// Conditions that are unusual but do not stop a start, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a sentence: lower case, without a full stop, and never with a value.
    pub(crate) fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }
}

impl std::ops::Deref for Problems {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Extend<String> for Problems {
    fn extend<T: IntoIterator<Item = String>>(&mut self, problems: T) {
        self.0.extend(problems);
    }
}

impl FromIterator<String> for Problems {
    fn from_iter<T: IntoIterator<Item = String>>(problems: T) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a String;
    type IntoIter = std::slice::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Problems {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
