//! How well questions find what they should: a dataset asked through the code of a chat, measured, and compared with an
//! earlier run.

mod answers;
mod asking;
mod beir;
mod calibration;
mod candidates;
mod compare;
mod corpus;
mod dataset;
mod error;
mod existing;
mod measures;
mod oddities;
mod progress;
mod ranking;
mod report;
mod run;
mod spreadsheet;
mod subject;
mod summary;
mod table;
mod unrelated;
mod vectors;

pub use beir::{read_corpus, read_folder};
pub use calibration::{Calibrated, calibrate};
pub use compare::compare;
pub use corpus::bring_in;
pub use dataset::{Corpus, Dataset};
pub use error::EvaluationError;
pub use existing::look_up;
pub use progress::Progress;
pub use ranking::Ranking;
pub use report::Report;
pub use run::{Evaluation, evaluate};
pub use spreadsheet::read_spreadsheet;
pub use subject::Subject;
pub use table::table;
