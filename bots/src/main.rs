//! The `paperwire` program; what its arguments mean stands in `paperwire::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    paperwire::cli::main()
}
