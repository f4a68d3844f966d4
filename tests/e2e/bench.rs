//! The benchmarks as they are typed, with tiny numbers: that they run, count right and clean up behind themselves.

use std::process::Stdio;

use tokio::process::Command;

use crate::process::binary;

#[tokio::test]
async fn the_delivery_benchmark_prints_its_table_with_nothing_lost_or_twice_and_leaves_nothing_behind() {
    let Some(binary) = binary() else {
        println!("skipped: no paperwire beside the test; run cargo test at the root");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let ended = Command::new(binary)
        .args([
            "bench",
            "delivery",
            "--channels",
            "4",
            "--loopback",
            "4",
            "--parts",
            "2",
            "--rate",
            "200",
        ])
        .env_clear()
        .env("TMPDIR", scratch.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let table = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    for figure in ["lost", "lost, with a restart", "twice", "twice, with a restart"] {
        let cells = table
            .lines()
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let measured = cells
            .filter(|cells| cells[0] == figure)
            .map(|cells| cells[1].to_owned());
        assert_eq!(measured.collect::<Vec<_>>(), ["0 of 16"], "{figure}:\n{table}");
    }
    assert!(table.contains("virtual time: telegram: makespan of"), "{table}");
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0, "{table}");
}
