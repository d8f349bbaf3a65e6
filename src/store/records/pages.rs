//! Parts of lists.

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The id of an element: those after it.
    pub after: Option<String>,
    /// The id of an element: those before it.
    pub before: Option<String>,
    pub limit: usize,
    /// Newest first.
    pub descending: bool,
}

/// Elements of a page, and whether there are more in its direction.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}
