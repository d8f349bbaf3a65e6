//! The embedding model's products are cut for the processors that the process was given.

use super::world::World;

const VARIABLE: &str = "RAYON_NUM_THREADS=";

#[tokio::test]
async fn a_server_with_a_model_counts_its_own_processors() {
    let given = std::thread::available_parallelism().expect("there is one").to_string();
    for (options, wanted) in [("embedding_model = \"nosuch\"", Some(given.as_str())), ("", None)] {
        let (_world, program) = World::program(options).await;
        let environment = program.environment();
        let said = environment.iter().find_map(|entry| entry.strip_prefix(VARIABLE));
        assert_eq!(said, wanted, "{options}");
    }
}
