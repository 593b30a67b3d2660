//! The command `gauze`: builds, runs, inspects and uses consortium networks.

use std::process::ExitCode;

fn main() -> ExitCode {
    network::main()
}
