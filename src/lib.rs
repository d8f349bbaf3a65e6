pub mod index;
pub mod store;
