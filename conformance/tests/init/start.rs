//! To come.
use super::*;
