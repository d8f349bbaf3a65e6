pub mod access;
pub mod collection;
pub mod index;
pub mod store;
