//! As much of an executable's header as tells where it can run.

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `amd64`, `arm64`, or the machine's number.
    pub architecture: String,
    /// The dynamic linker; `None` for a static program.
    pub interpreter: Option<String>,
}

/// Reads the header; `None` when this is no 64-bit little-endian ELF file.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Program> {
    let number = |at: usize, length: usize| -> Option<usize> {
        let part = bytes.get(at..at.checked_add(length)?)?;
        part.iter().rev().try_fold(0_usize, |value, byte| {
            value.checked_mul(256)?.checked_add(usize::from(*byte))
        })
    };
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let architecture = match number(18, 2)? {
        62 => "amd64".to_owned(),
        183 => "arm64".to_owned(),
        other => format!("machine {other}"),
    };
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut interpreter = None;
    for header in 0..count {
        let at = start.checked_add(header * size)?;
        // PT_INTERP
        if number(at, 4)? == 3 {
            let (from, length) = (
                number(at.checked_add(8)?, 8)?,
                number(at.checked_add(32)?, 8)?,
            );
            let name = bytes
                .get(from..from.checked_add(length)?)
                .unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            interpreter = Some(name.trim_end_matches('\0').to_owned());
        }
    }
    Some(Program {
        architecture,
        interpreter,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_programs_of_this_machine_are_understood() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let program = read(&own).unwrap();
        assert_eq!(
            program.architecture == "amd64",
            cfg!(target_arch = "x86_64")
        );
        assert_eq!(
            program.interpreter.is_none(),
            cfg!(target_feature = "crt-static")
        );
        assert_eq!(read(&own[..100]), None, "cut off");
        assert_eq!(read(b"#!/bin/sh\n"), None);
    }
}
