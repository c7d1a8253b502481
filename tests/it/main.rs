//! One test binary: each module is one concern.

mod letters;
