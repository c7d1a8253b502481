//! The protocols of this program as models, checked exhaustively: every order of every step and every fault, within the
//! bounds each model names. Each model also shows that it would find the fault its guards prevent, by leaving them out.

mod delivery;
mod wake;
