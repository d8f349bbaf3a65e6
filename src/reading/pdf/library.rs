//! Where PDFium's library is: bound at run time, for it is no part of the program.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pdfium_render::prelude::Pdfium;

/// Names the library for every process that reads PDFs.
pub(in crate::reading) const LIBRARY_VARIABLE: &str = "LASTRO_PDFIUM";
/// Where the project's own scripts put it, below the working directory.
const PROJECT_FOLDER: &str = ".tools/pdfium";

/// Where a PDFium was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Library {
    At(PathBuf),
    /// By the system's own search.
    System,
}

/// The library, bound once in a process: where [`find`] finds it.
pub fn library() -> Option<&'static Pdfium> {
    static LIBRARY: OnceLock<Option<Pdfium>> = OnceLock::new();
    let bound = || match bind(None) {
        Ok(found) => found.map(|(pdfium, _)| pdfium),
        Err(Unusable { path, cause }) => {
            tracing::warn!(path = %path.display(), cause, "PDFium cannot be loaded; PDFs are read by the Rust engine");
            None
        }
    };
    LIBRARY.get_or_init(bound).as_ref()
}

/// A library that was named outright and cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be loaded: {cause}")]
pub struct Unusable {
    pub path: PathBuf,
    pub cause: String,
}

/// Looks for PDFium as the child that reads files does, and says where it is; none where there is none.
pub fn find(explicit: Option<&Path>) -> Result<Option<Library>, Unusable> {
    Ok(bind(explicit)?.map(|(_, place)| place))
}

fn bind(explicit: Option<&Path>) -> Result<Option<(Pdfium, Library)>, Unusable> {
    let named =
        explicit.map(Path::to_owned).or_else(|| std::env::var_os(LIBRARY_VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return match Pdfium::bind_to_library(&path) {
            Ok(bindings) => Ok(Some((Pdfium::new(bindings), Library::At(path)))),
            Err(error) => Err(Unusable { path, cause: error.to_string() }),
        };
    }
    let name = Pdfium::pdfium_platform_library_name();
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(|folder| folder.join(&name));
    let places = [beside, Some(Path::new(PROJECT_FOLDER).join(&name))];
    let found = places.into_iter().flatten().filter(|path| path.is_file());
    let mut bound = found.filter_map(|path| Some((Pdfium::bind_to_library(&path).ok()?, Library::At(path))));
    let system = || Some((Pdfium::bind_to_system_library().ok()?, Library::System));
    let bound = bound.next().or_else(system);
    Ok(bound.map(|(bindings, place)| (Pdfium::new(bindings), place)))
}
