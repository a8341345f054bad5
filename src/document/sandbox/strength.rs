use serde::{Deserialize, Serialize};
use std::fmt;

/// What locks a child up on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strength {
    /// Limits on memory, processor time, open files and files' sizes.
    pub has_limits: bool,
    /// Only the system calls that computing, reading the input and writing the answer need.
    pub has_seccomp: bool,
    /// No path of the file system, and no port, whatever the system calls.
    pub has_landlock: bool,
}

impl Strength {
    /// Limits, and at least one lock on files and the network.
    pub fn is_sound(&self) -> bool {
        self.has_limits && self.has_seccomp
    }

    pub fn is_full(&self) -> bool {
        self.is_sound() && self.has_landlock
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("limits", self.has_limits),
            ("seccomp", self.has_seccomp),
            ("landlock", self.has_landlock),
        ];
        let list = |wanted: bool| {
            let names: Vec<&str> = parts
                .iter()
                .filter(|(_, has)| *has == wanted)
                .map(|(name, _)| *name)
                .collect();
            names.join(", ")
        };
        match (self.is_full(), list(true).is_empty()) {
            (true, _) => write!(f, "documents are read in a process with {}", list(true)),
            (false, true) => write!(f, "documents are read in a process WITHOUT {}", list(false)),
            (false, false) => write!(
                f,
                "documents are read in a process with {}, but WITHOUT {}",
                list(true),
                list(false)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_loudly() {
        let strength = Strength {
            has_limits: true,
            has_seccomp: true,
            has_landlock: false,
        };
        assert_eq!(
            strength.to_string(),
            "documents are read in a process with limits, seccomp, but WITHOUT landlock"
        );
        assert!(strength.is_sound() && !strength.is_full());
    }
}
