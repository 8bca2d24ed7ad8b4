//! What the parties report of themselves.
