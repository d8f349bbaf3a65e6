//! Where embeddings are computed: an NVIDIA GPU if there is one, the CPU otherwise.

use std::panic::catch_unwind;
use std::path::Path;
use std::str::FromStr;

use candle_core::Device;
use serde::Deserialize;
use tracing::{info, warn};

/// The configuration's wish for a device.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The GPU where this build and this machine have one.
    #[default]
    Auto,
    Cpu,
    /// The GPU; without one a warning, and the CPU.
    Cuda,
}

impl FromStr for DeviceChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err("must be auto, cpu or cuda"),
        }
    }
}

/// The file that every NVIDIA driver brings.
const DRIVER: &str = "libcuda.so.1";
/// Where the loader looks besides its cache and `LD_LIBRARY_PATH`; the last two are those of WSL
/// and of containers with a mounted driver.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
];

/// Opens the device, and gives its name for people. Logs one line when it is not the one wished for.
pub fn open(choice: DeviceChoice) -> (Device, String) {
    if choice != DeviceChoice::Cpu {
        match open_gpu() {
            Ok(device) => {
                info!("embeddings are computed on the GPU (cuda:0)");
                return (device, "cuda:0".to_owned());
            }
            Err(why) if choice == DeviceChoice::Cuda => {
                warn!("no GPU for embeddings, using the CPU: {why}");
            }
            Err(why) => info!("embeddings are computed on the CPU: {why}"),
        }
    }
    (Device::Cpu, "cpu".to_owned())
}

/// Whether embeddings can be computed on a GPU by this build on this machine; otherwise why not.
pub fn gpu() -> Result<(), String> {
    open_gpu().map(drop)
}

/// Whether this machine has an NVIDIA driver, whatever this build can do with it.
pub fn has_gpu_driver() -> bool {
    driver_installed()
}

fn open_gpu() -> Result<Device, String> {
    if !cfg!(feature = "cuda") {
        return Err("this build has no GPU support (build with `--features cuda`)".to_owned());
    }
    // The CUDA bindings panic when the driver's library is missing, so it is looked for first.
    if !driver_installed() {
        return Err(format!("{DRIVER} was not found (is the NVIDIA driver installed?)"));
    }
    match catch_unwind(|| Device::new_cuda(0)) {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => Err(format!("the GPU cannot be opened ({error})")),
        Err(_) => Err("a CUDA library is missing (cublas, curand and nvrtc are needed)".to_owned()),
    }
}

fn driver_installed() -> bool {
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&own).filter(|folder| !folder.as_os_str().is_empty());
    folders.any(|folder| folder.join(DRIVER).exists())
        || FOLDERS.iter().any(|folder| Path::new(folder).join(DRIVER).exists())
        || loader_cache_names(&std::fs::read("/etc/ld.so.cache").unwrap_or_default(), DRIVER)
}

/// Whether the loader's cache lists `library`; its strings end in NUL.
fn loader_cache_names(cache: &[u8], library: &str) -> bool {
    cache.split(|byte| *byte == 0).any(|name| name == library.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_cache_is_searched_for_whole_names() {
        let cache = b"glibc-ld.so.cache\0libcuda.so.1\0/usr/lib/libcuda.so.1\0";
        assert!(loader_cache_names(cache, DRIVER));
        assert!(!loader_cache_names(b"libcuda.so.10\0/x/libcuda.so.1\0", DRIVER));
    }

    #[test]
    fn the_cpu_is_always_there() {
        let (device, name) = open(DeviceChoice::Cpu);
        assert!(device.is_cpu());
        assert_eq!(name, "cpu");
    }
}
