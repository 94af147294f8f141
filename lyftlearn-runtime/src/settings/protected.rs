//! Which variables a document or a secret sets only where it is meant.

use crate::contract::delivered;
use crate::contract::protected::{CODE, IDENTITY, PREFIXES, TRUST};

/// Whether a variable decides which code is loaded, which certificates are trusted or which
/// credentials are used, and `environment.allow` does not name it.
pub(crate) fn is_protected(name: &str, allowed: &[String]) -> bool {
    let known = [CODE, TRUST, IDENTITY];
    let protected = known.iter().any(|names| names.contains(&name))
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    protected && !allowed.iter().any(|allowed| allowed == name)
}

/// Whether all names that begin so are protected.
pub(super) fn begins_protected(prefix: &str, allowed: &[String]) -> bool {
    let family = |known: &&&str| prefix.starts_with(**known);
    PREFIXES.iter().any(|known| family(&known))
        && !allowed.iter().any(|allowed| allowed.starts_with(prefix))
}

/// Why a secret may not be delivered as a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no name, or this runtime's own.
    Name,
    /// It decides how programs are found and loaded, which certificates they trust, or which
    /// credentials they use.
    Protected,
}

/// Whether a secret may be delivered as this variable.
pub(super) fn may_set(name: &str, allowed: &[String]) -> Result<(), Refused> {
    if name.is_empty() || !may_begin(name) {
        return Err(Refused::Name);
    }
    if is_protected(name, allowed) {
        return Err(Refused::Protected);
    }
    Ok(())
}

pub(super) fn may_begin(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(known)
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.starts_with("LYFTLEARN_")
        && !delivered::reserved(name)
}

#[cfg(test)]
mod tests {
    use super::{Refused, begins_protected, is_protected, may_set};

    #[test]
    fn what_loads_code_is_set_where_it_is_meant() {
        let allowed = ["PYTHONPATH".to_owned(), "LD_PRELOAD".to_owned()];
        for name in [
            "BASH_ENV",
            "ENV",
            "PYTHONSTARTUP",
            "NODE_OPTIONS",
            "JAVA_TOOL_OPTIONS",
            "PERL5OPT",
            "RUBYOPT",
            "GLIBC_TUNABLES",
            "GCONV_PATH",
            "SSL_CERT_FILE",
            "AWS_DEFAULT_PROFILE",
            "LD_LIBRARY_PATH",
            "BASH_FUNC_ls%%",
        ] {
            assert!(is_protected(name, &allowed), "{name}");
        }
        for name in ["PYTHONPATH", "LD_PRELOAD"] {
            assert!(is_protected(name, &[]) && !is_protected(name, &allowed));
            assert_eq!(may_set(name, &[]), Err(Refused::Protected));
            assert_eq!(may_set(name, &allowed), Ok(()));
        }
        for name in [
            "PYTHONUNBUFFERED",
            "DATABASE_URL",
            "ENVIRONMENT",
            "AWS_REGION",
        ] {
            assert!(!is_protected(name, &[]), "{name}");
        }
        // The runtime's own variables cannot be allowed.
        let ours = ["LYFTLEARN_ROLE".to_owned()];
        assert_eq!(may_set("LYFTLEARN_ROLE", &ours), Err(Refused::Name));
        assert!(begins_protected("LD_", &[]) && !begins_protected("LD_", &allowed));
    }
}
