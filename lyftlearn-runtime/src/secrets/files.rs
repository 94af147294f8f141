//! A set of secrets as the files that are delivered.

use zeroize::Zeroizing;

use super::Set;
use crate::contract::secrets as words;
use crate::settings::Settings;

/// A set as it is written.
pub(crate) struct Files<'a> {
    document: Zeroizing<Vec<u8>>,
    named: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Files<'a> {
    pub(crate) fn of(settings: &'a Settings, set: &'a Set) -> Self {
        let document = serde_json::to_vec(set).expect("texts have no failure to report");
        let named = settings.secrets.iter().filter_map(|secret| {
            let content = set.get(&secret.name)?;
            Some((secret.file.as_deref()?, content.bytes_of_its_file()))
        });
        Self {
            document: document.into(),
            named: named.collect(),
        }
    }

    pub(crate) fn all(&self) -> Vec<(&str, &[u8])> {
        let document = (words::ALL, self.document.as_slice());
        std::iter::once(document)
            .chain(self.named.iter().copied())
            .collect()
    }

    /// Whether somebody has asked for files, and not only for variables.
    pub(crate) fn asked_for(&self) -> bool {
        !self.named.is_empty()
    }
}
