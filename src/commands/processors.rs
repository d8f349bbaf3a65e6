//! How many processors the embedding model may use, said where its matrix products look for it.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::available_parallelism;

/// candle asks this variable at each product. Where it is not set, it counts the cores of the whole machine each time,
/// whatever a container was given of them.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Runs the program once more in its own place, with the variable set to what this process was given: by its affinity
/// and its control group. Comes back where it is set already, and where it cannot be done.
pub fn use_own_processors() {
    if env::var_os(VARIABLE).is_some_and(|said| !said.is_empty()) {
        return;
    }
    let (Ok(processors), Ok(program)) = (available_parallelism(), env::current_exe()) else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It comes back with an error alone: then the machine's cores are counted as before.
    let _ = again.args(arguments).env(VARIABLE, processors.to_string()).exec();
}
