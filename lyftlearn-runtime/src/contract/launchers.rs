//! Launchers of distributed training, as PID 1 sees them in a process's argv.

use std::time::Duration;

/// All of them are Python scripts.
pub(crate) const INTERPRETER: &[u8] = b"python";
/// Scripts and modules that run torchrun's agent, which passes a stop on to its ranks.
pub(crate) const TORCHRUNS: &[&[u8]] = &[
    b"torchrun",
    b"torch.distributed.run",
    b"torch.distributed.launch",
    b"accelerate",
    b"accelerate.commands.launch",
];
/// How long the agent leaves its ranks after that. Fixed before torch 2.12.
pub(crate) const TORCHRUN_GIVES: Duration = Duration::from_secs(30);
/// HyperPod's, with what it gives by default and the option that says otherwise, in seconds.
pub(crate) const HYPERPODRUN: &[u8] = super::kubernetes::HYPERPOD_LAUNCHER.as_bytes();
pub(crate) const HYPERPODRUN_GIVES: Duration = Duration::from_secs(15);
pub(crate) const HYPERPODRUN_TIMEOUT: &[u8] = b"--shutdown-timeout";
