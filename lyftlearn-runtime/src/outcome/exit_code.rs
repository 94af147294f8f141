//! What a container exits with.

use super::How;

impl How {
    /// The exit code of such an end, as shells have it. A start that failed has its own.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        const SIGKILL: i32 = 9;
        let code = match self {
            Self::Exited { code, .. } => *code,
            Self::Signalled { signal, .. } => 128 + signal,
            // What the kernel will make of it.
            Self::Unkillable => 128 + SIGKILL,
            Self::NotStarted { .. } => return None,
        };
        Some(u8::try_from(code).unwrap_or(u8::MAX))
    }
}

/// What `lifecycle.exit_remap` makes of an exit code.
pub(crate) fn remapped(code: u8, exit_remap: &[(u8, u8)]) -> u8 {
    let found = exit_remap.iter().find(|(from, _)| *from == code);
    found.map_or(code, |(_, to)| *to)
}
